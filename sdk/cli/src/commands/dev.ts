import { Command } from "commander";
import { collect, whole } from "../arguments.js";

export function devCommand(): Command {
  return new Command("dev")
    .description("run an orchestrator for development: embedded database, no settings, finds your app by itself")
    .option("--port <port>", "where it listens", whole(1, 65_535), 9850)
    .option("--data <folder>", "where its data are kept", ".aiki")
    .option("-u, --endpoint <url>", "register only this endpoint, and insist; may be repeated", collect, [])
    .action(async ({ port, data, endpoint }: { port: number; data: string; endpoint: string[] }) => {
      // Loaded here: the commands that only ask an orchestrator start faster without one of their own.
      const { dev } = await import("../dev/dev.js");
      await dev({ port, data, urls: endpoint });
    });
}
