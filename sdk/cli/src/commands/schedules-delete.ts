import { Command } from "commander";
import { session } from "../session.js";

export function schedulesDeleteCommand(): Command {
  return new Command("delete")
    .description("end a schedule; runs that it has started go on")
    .argument("<schedule-id>")
    .action(async (scheduleId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      // Asked for first: a delete that is sent again after a lost answer finds nothing.
      await aiki.getSchedule(scheduleId);
      await aiki.deleteSchedule(scheduleId);
      print({ id: scheduleId, deleted: true }, () => `Deleted ${scheduleId}.`);
    });
}
