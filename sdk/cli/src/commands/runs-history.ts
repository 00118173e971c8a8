import { Command } from "commander";
import { readWholeHistory } from "../history.js";
import { session } from "../session.js";
import { timeline } from "../timeline/record-line.js";

export function runsHistoryCommand(): Command {
  return new Command("history")
    .description("print what is recorded of a run, in order")
    .argument("<run-id>")
    .action(async (runId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const run = await aiki.getRun(runId);
      const records = await readWholeHistory(aiki, runId, 0);
      print({ run, records }, () => records.map(timeline(run.createdAt)).join("\n"));
    });
}
