import { Command } from "commander";
import { filterOf, type ManyFlags, manyFlags, tellMany } from "../many-runs.js";
import { session } from "../session.js";

export function runsRequeueCommand(): Command {
  const command = new Command("requeue")
    .description("let a stalled run go on, or all stalled runs that the flags name, once what stalled it is mended")
    .argument("[run-id]");
  return manyFlags(command).action(async (runId: string | undefined, flags: ManyFlags, command: Command) => {
    const cli = session(command);
    const filter = filterOf(command, runId, flags);
    if (flags.status !== undefined && flags.status !== "stalled")
      command.error("error: only stalled runs are requeued");
    if (filter) {
      const deed = { verb: "Requeue", listed: "stalled", send: cli.aiki.requeueRuns };
      const told = await tellMany(command, cli, filter, flags, deed);
      return cli.print(told ?? { sent: 0, duplicate: 0 }, () =>
        told ? `Requeued ${told.sent + told.duplicate} runs.` : "Nothing was requeued.",
      );
    }
    if (runId === undefined) return;
    await cli.aiki.requeueRun(runId);
    cli.print({ id: runId }, () => `Requeued ${runId}. Follow it with: aiki runs watch ${runId}`);
  });
}
