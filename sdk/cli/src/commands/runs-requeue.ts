import { Command } from "commander";
import { session } from "../session.js";

export function runsRequeueCommand(): Command {
  return new Command("requeue")
    .description("let a stalled run go on, once what stalled it is mended")
    .argument("<run-id>")
    .action(async (runId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      await aiki.requeueRun(runId);
      print({ id: runId }, () => `Requeued ${runId}. Follow it with: aiki runs watch ${runId}`);
    });
}
