import { Command } from "commander";
import { session } from "../session.js";

export function schedulesPauseCommand(): Command {
  return new Command("pause")
    .description("let a schedule fire no more until it is resumed")
    .argument("<schedule-id>")
    .action(async (scheduleId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const schedule = await aiki.pauseSchedule(scheduleId);
      print(schedule, () => `${scheduleId} is paused.`);
    });
}
