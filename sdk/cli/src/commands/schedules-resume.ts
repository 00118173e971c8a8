import { Command } from "commander";
import { zonedText } from "../schedule-text.js";
import { session } from "../session.js";

export function schedulesResumeCommand(): Command {
  return new Command("resume")
    .description("let a paused schedule go on; what it missed is not made up for")
    .argument("<schedule-id>")
    .action(async (scheduleId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const schedule = await aiki.resumeSchedule(scheduleId);
      const { nextAt, recurrence } = schedule;
      const next = nextAt === undefined ? "" : ` It fires next at ${zonedText(nextAt, recurrence)}.`;
      print(schedule, () => `${scheduleId} is active.${next}`);
    });
}
