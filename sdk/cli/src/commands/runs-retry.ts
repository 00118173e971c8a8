import { Command } from "commander";
import { filterOf, type ManyFlags, manyFlags, tellMany } from "../many-runs.js";
import { session } from "../session.js";

export function runsRetryCommand(): Command {
  const command = new Command("retry")
    .description("open a failed run again, from where it failed, or all failed runs that the flags name")
    .argument("[run-id]");
  return manyFlags(command).action(async (runId: string | undefined, flags: ManyFlags, command: Command) => {
    const cli = session(command);
    const filter = filterOf(command, runId, flags);
    if (flags.status !== undefined && flags.status !== "failed") command.error("error: only failed runs are retried");
    if (filter) {
      const deed = { verb: "Retry", listed: "failed", send: cli.aiki.retryRuns };
      const told = await tellMany(command, cli, filter, flags, deed);
      return cli.print(told ?? { sent: 0, duplicate: 0 }, () =>
        told ? `Retrying ${told.sent + told.duplicate} runs.` : "Nothing was retried.",
      );
    }
    if (runId === undefined) return;
    await cli.aiki.retryRun(runId);
    cli.print({ id: runId }, () => `Retrying ${runId}. Follow it with: aiki runs watch ${runId}`);
  });
}
