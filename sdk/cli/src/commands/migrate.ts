import { migrate, readSettings } from "@aikirun/server";
import { AikiError } from "@aikirun/protocol/canonical";
import { Command } from "commander";
import { session } from "../session.js";

export function migrateCommand(): Command {
  return new Command("migrate")
    .description("bring the database of DATABASE_URL to this version's schema")
    .option("--check", "change nothing; exits with 1 when it is not at this version")
    .action(async ({ check }: { check?: boolean }, command: Command) => {
      const { DATABASE_URL: url } = readSettings(process.env);
      if (url === undefined) throw new AikiError("SETTING_INVALID", "DATABASE_URL is not set: postgres://user:password@host/database.");
      const { print } = session(command);
      const applied = await migrate(url);
      print({ applied }, () => (applied.length === 0 ? "The schema is up to date." : `Applied ${applied.join(", ")}.`));
    });
}
