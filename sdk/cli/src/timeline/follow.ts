import { AikiError } from "@aikirun/protocol/canonical";
import pc from "picocolors";
import { EXIT } from "../exit.js";
import type { TimedRecord } from "../history.js";
import { hint, type Session, say } from "../session.js";
import { beginText, endText } from "./end-text.js";
import { timeline } from "./record-line.js";
import { type WatchEvents, watchRun } from "./watch-run.js";

/** Prints a run's timeline until the run ends. Resolves with the exit code: 0 only when it completed. */
export async function follow({ aiki, json }: Session, runId: string): Promise<number> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  try {
    const run = await watchRun(aiki, runId, json ? jsonLines() : textLines(), interrupt.signal);
    say(json ? JSON.stringify({ run }) : endText(run));
    return run.status === "completed" ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (!(error instanceof AikiError && error.code === "ABORTED")) throw error;
    if (!json) hint(`\nThe run goes on: aiki runs watch ${runId}`);
    return EXIT.interrupted;
  } finally {
    process.removeListener("SIGINT", onInterrupt);
  }
}

/** For a person: one line per record. */
export function textLines(write: (line: string) => void = say): WatchEvents {
  let line: (record: TimedRecord) => string;
  return {
    begin(run) {
      line = timeline(run.createdAt);
      write(beginText(run));
    },
    record: (record) => write(line(record)),
    trouble: (text) => text !== "" && write(`            ${pc.yellow("!")} ${text}`),
  };
}

/** For a machine: one JSON object per line. */
function jsonLines(): WatchEvents {
  return {
    begin: () => {},
    record: (record) => say(JSON.stringify({ record })),
    trouble: (text) => text !== "" && say(JSON.stringify({ trouble: text })),
  };
}
