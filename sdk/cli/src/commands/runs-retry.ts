import { Command } from "commander";
import { session } from "../session.js";

export function runsRetryCommand(): Command {
  return new Command("retry")
    .description("open a failed run again, from where it failed")
    .argument("<run-id>")
    .action(async (runId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      await aiki.retryRun(runId);
      print({ id: runId }, () => `Retrying ${runId}. Follow it with: aiki runs watch ${runId}`);
    });
}
