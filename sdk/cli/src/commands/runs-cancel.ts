import { Command } from "commander";
import { filterOf, type ManyFlags, manyFlags, tellMany } from "../many-runs.js";
import { type Session, session } from "../session.js";

/** What has not ended. */
const LIVE = "scheduled,queued,running,suspended,paused,stalled";

export function runsCancelCommand(): Command {
  const command = new Command("cancel")
    .description("cancel a run and its children, or all runs that the flags name")
    .argument("[run-id]")
    .option("--reason <text>", "kept on the run");
  return manyFlags(command).action(
    async (runId: string | undefined, flags: ManyFlags & { reason?: string }, command: Command) => {
      const cli = session(command);
      const reason = flags.reason === undefined ? {} : { reason: flags.reason };
      const filter = filterOf(command, runId, flags);
      if (filter) {
        const send: typeof cli.aiki.cancelRuns = (body) => cli.aiki.cancelRuns({ ...body, ...reason });
        const told = await tellMany(command, cli, filter, flags, { verb: "Cancel", listed: LIVE, send });
        return cli.print(told ?? { sent: 0, duplicate: 0 }, () =>
          told ? `Cancelling ${told.sent + told.duplicate} runs.` : "Nothing was cancelled.",
        );
      }
      if (runId !== undefined) await cancelOne(cli, runId, reason);
    },
  );
}

async function cancelOne({ aiki, print }: Session, runId: string, reason: { reason?: string }): Promise<void> {
  await aiki.cancelRun(runId, reason);
  // The cancel takes effect at the run's next commit; what ended before it stays as it is.
  const { status, endedAt } = await aiki.getRun(runId);
  print({ id: runId, status }, () => (endedAt === undefined ? `Cancelling ${runId}.` : `${runId} is ${status}.`));
}
