import { Command } from "commander";
import { session } from "../session.js";
import { follow } from "../timeline/follow.js";

export function runsWatchCommand(): Command {
  return new Command("watch")
    .description("follow a run until it ends; exits with 1 when it did not complete")
    .argument("<run-id>")
    .action(async (runId: string, _options: object, command: Command) => {
      process.exitCode = await follow(session(command), runId);
    });
}
