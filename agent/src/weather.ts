const CONDITIONS = ["sunny", "partly cloudy", "overcast", "light rain", "windy", "fog"] as const;

export type Unit = "celsius" | "fahrenheit";

export interface Weather {
  readonly city: string;
  readonly temperature: number;
  readonly unit: Unit;
  readonly condition: string;
  readonly note: string;
}

/** The same city always has the same weather: it comes from the letters of its name. Nothing is asked over the network. */
export function inventWeather(name: string, unit: Unit): Weather {
  const city = name.trim();
  if (city === "") throw new Error("The input has no city.");
  let seed = 7;
  for (const byte of new TextEncoder().encode(city.toLowerCase())) seed = (Math.imul(seed, 31) + byte) >>> 0;
  const celsius = (seed % 32) - 2;
  return {
    city,
    temperature: unit === "fahrenheit" ? Math.trunc((celsius * 9) / 5) + 32 : celsius,
    unit,
    condition: CONDITIONS[Math.floor(seed / 32) % CONDITIONS.length] ?? CONDITIONS[0],
    note: "Made up by the agent. No weather service was asked.",
  };
}
