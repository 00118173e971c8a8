import { Command } from "commander";
import { say, session } from "../session.js";

export function keysPublicCommand(): Command {
  return new Command("public")
    .description("print the value for AIKI_PUBLIC_KEYS: the keys that verify pushes")
    .action(async (_options: object, command: Command) => {
      // One line of JSON either way: it is pasted into a setting.
      say(JSON.stringify({ keys: await session(command).aiki.publicKeys() }));
    });
}
