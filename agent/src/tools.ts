import { tool } from "ai";
import { z } from "zod";
import { inventWeather } from "./weather";

export const TIME = "getTime";
export const WEATHER = "getWeather";

export const tools = {
  [TIME]: tool({
    description: "Tells the current date and time in UTC.",
    inputSchema: z.strictObject({}),
    execute: () => ({ time: new Date().toISOString().replace(/\.\d+Z$/, "Z"), timeZone: "UTC" }),
  }),
  [WEATHER]: tool({
    description: "Tells the current weather in a city. The person is asked before it runs. The values are made up.",
    inputSchema: z.strictObject({
      city: z.string().describe("Name of the city"),
      unit: z.enum(["celsius", "fahrenheit"]).optional(),
    }),
    execute: ({ city, unit }) => inventWeather(city, unit ?? "celsius"),
  }),
};

/** Which calls wait for a person. The model has no say in it. */
export const approvals = { [WEATHER]: "user-approval" } as const;
