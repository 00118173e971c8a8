import { AikiError } from "@aikirun/protocol/canonical";
import { Command } from "commander";
import { withDatabase } from "../database-fault.js";
import { EXIT } from "../exit.js";
import { session } from "../session.js";

export function migrateCommand(): Command {
  return new Command("migrate")
    .description("bring the database of DATABASE_URL to this version's schema")
    .option("--check", "change nothing; exits with 1 when something is missing")
    .action(async ({ check = false }: { check?: boolean }, command: Command) => {
      const { migrate, pendingMigrations, readSettings } = await import("@aikirun/server");
      const { print } = session(command);
      const { DATABASE_URL: url } = readSettings(process.env);
      if (url === undefined) {
        throw new AikiError("SETTING_INVALID", "DATABASE_URL is not set: postgres://user:password@host/database.");
      }
      if (!check) {
        const applied = await withDatabase(migrate(url));
        print({ applied }, () =>
          applied.length === 0 ? "The schema is up to date." : `Applied ${applied.join(", ")}.`,
        );
        return;
      }
      const pending = await withDatabase(pendingMigrations(url));
      print({ pending }, () =>
        pending.length === 0 ? "The schema is up to date." : `Missing: ${pending.join(", ")}. Run \`aiki migrate\`.`,
      );
      if (pending.length > 0) process.exitCode = EXIT.failed;
    });
}
