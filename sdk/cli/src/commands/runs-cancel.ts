import { Command } from "commander";
import { session } from "../session.js";

export function runsCancelCommand(): Command {
  return new Command("cancel")
    .description("cancel a run and its children")
    .argument("<run-id>")
    .option("--reason <text>", "kept on the run")
    .action(async (runId: string, options: { reason?: string }, command: Command) => {
      const { aiki, print } = session(command);
      await aiki.cancelRun(runId, options);
      // The cancel takes effect at the run's next commit; what ended before it stays as it is.
      const { status, endedAt } = await aiki.getRun(runId);
      print({ id: runId, status }, () => (endedAt === undefined ? `Cancelling ${runId}.` : `${runId} is ${status}.`));
    });
}
