// Waits for its input to end. Where no `done` came before, whoever started it was killed, and it cleans up.

import { rmSync } from "node:fs";

const [pid, folder] = process.argv.slice(2);
let said = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (text) => (said += text));
process.stdin.on("end", () => {
  if (said !== "done") cleanUp();
});

function cleanUp() {
  try {
    process.kill(Number(pid), "SIGKILL");
  } catch {
    // It has ended already.
  }
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
