import type { Client } from "@aikirun/client";
import { say } from "../session.js";
import { runLine } from "./run-line.js";

/** Ends that wait for their line; a burst beyond it is only counted. */
const MOST_WAITING = 50;

/** Prints one line for each run that ends. */
export function runEnds(aiki: Pick<Client, "getRun">): (namespace: string, runId: string) => void {
  const waiting: string[] = [];
  let uncounted = 0;
  let printing = false;

  async function print(): Promise<void> {
    printing = true;
    for (let runId = waiting.shift(); runId !== undefined; runId = waiting.shift()) {
      // The line is a comfort: a server that stops meanwhile owes none.
      const run = await aiki.getRun(runId).catch(() => undefined);
      if (run) say(runLine(run));
    }
    if (uncounted > 0) say(`  and ${uncounted} more runs  (aiki runs list)`);
    uncounted = 0;
    printing = false;
  }

  return (_namespace, runId) => {
    if (waiting.length >= MOST_WAITING) uncounted++;
    else waiting.push(runId);
    if (!printing) void print();
  };
}
