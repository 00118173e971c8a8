import { createInterface } from "node:readline";

/** Calls `rescan` for each `r` and Enter. Never keeps the process alive. */
export function onRescan(rescan: () => void): () => void {
  const lines = createInterface({ input: process.stdin });
  process.stdin.unref?.();
  // A terminal that goes away is no reason to end; the signal that comes with it is.
  process.stdin.on("error", () => {});
  lines.on("line", (line) => {
    if (line.trim() === "r") rescan();
  });
  return () => lines.close();
}
