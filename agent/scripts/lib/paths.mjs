import path from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the agent. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const DIST = path.join(ROOT, "dist");
/** The whole Worker in one file. */
export const WORKER = path.join(DIST, "worker.js");
