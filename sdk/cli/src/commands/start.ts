import { Command } from "commander";
import { withDatabase } from "../database-fault.js";
import { interruption } from "../dev/interruption.js";
import { EXIT } from "../exit.js";
import { say } from "../session.js";

export function startCommand(): Command {
  return new Command("start")
    .description("run an orchestrator in production, with settings from the environment; logs lines of JSON")
    .action(async () => {
      const { readSettings, startServer } = await import("@aikirun/server");
      const stop = interruption();
      const server = await withDatabase(startServer({ settings: readSettings(process.env), mode: "start" }));
      say(`aiki ready ${server.url}`);
      await stop.happened;
      await server.close();
      stop.release();
      process.exitCode = EXIT.done;
    });
}
