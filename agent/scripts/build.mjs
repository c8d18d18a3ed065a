import { ensureWorker } from "./lib/build.mjs";

console.log(await ensureWorker());
