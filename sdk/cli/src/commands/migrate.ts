import { AikiError } from "@aikirun/protocol/canonical";
import { Command, Option } from "commander";
import { withDatabase } from "../database-fault.js";
import { EXIT } from "../exit.js";
import { session } from "../session.js";

interface Flags {
  readonly check?: boolean;
  readonly restored?: boolean;
}

export function migrateCommand(): Command {
  return new Command("migrate")
    .description("bring the database of DATABASE_URL to this version's schema")
    .option("--check", "change nothing; exits with 1 when something is missing")
    .addOption(
      new Option(
        "--restored",
        "after a restore from a backup, before anything starts: also refuse what was under way then",
      ).conflicts("check"),
    )
    .action(async ({ check = false, restored = false }: Flags, command: Command) => {
      const { migrate, pendingMigrations, raiseEpoch, readSettings } = await import("@aikirun/server");
      const { print } = session(command);
      const { DATABASE_URL: url } = readSettings(process.env);
      if (url === undefined) {
        throw new AikiError("SETTING_INVALID", "DATABASE_URL is not set: postgres://user:password@host/database.");
      }
      if (!check) {
        const applied = await withDatabase(migrate(url));
        const epoch = restored ? await withDatabase(raiseEpoch(url)) : undefined;
        print({ applied, ...(epoch !== undefined && { epoch }) }, () => {
          const schema = applied.length === 0 ? "The schema is up to date." : `Applied ${applied.join(", ")}.`;
          return epoch === undefined
            ? schema
            : `${schema}\nEpoch ${epoch} begins: nothing sent before counts any more.`;
        });
        return;
      }
      const pending = await withDatabase(pendingMigrations(url));
      print({ pending }, () =>
        pending.length === 0 ? "The schema is up to date." : `Missing: ${pending.join(", ")}. Run \`aiki migrate\`.`,
      );
      if (pending.length > 0) process.exitCode = EXIT.failed;
    });
}
