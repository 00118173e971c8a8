import { Command } from "commander";
import { scheduleText } from "../schedule-text.js";
import { session } from "../session.js";

export function schedulesGetCommand(): Command {
  return new Command("get")
    .description("show one schedule, and when it fires next")
    .argument("<schedule-id>")
    .action(async (scheduleId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const schedule = await aiki.getSchedule(scheduleId);
      print(schedule, () => scheduleText(schedule));
    });
}
