import { Command } from "commander";
import { session } from "../session.js";

export function schedulesTriggerCommand(): Command {
  return new Command("trigger")
    .description("start a run of a schedule now, under its overlap policy")
    .argument("<schedule-id>")
    .action(async (scheduleId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const result = await aiki.triggerSchedule(scheduleId);
      print(result, () =>
        result.started
          ? `Started ${result.runId}  (aiki runs watch ${result.runId})`
          : `Started nothing: ${result.runId} goes on, and the overlap policy is skip.`,
      );
    });
}
