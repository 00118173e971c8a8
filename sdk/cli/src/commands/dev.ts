import { Command, Option } from "commander";
import { collect, whole } from "../arguments.js";

interface Given {
  readonly port: number;
  readonly data: string;
  readonly endpoint: string[];
  readonly runtime: "node" | "workers";
}

export function devCommand(): Command {
  return new Command("dev")
    .description("run an orchestrator for development: embedded database, no settings, finds your app by itself")
    .option("--port <port>", "where it listens", whole(1, 65_535), 9850)
    .option("--data <folder>", "where its data are kept", ".aiki")
    .option("-u, --endpoint <url>", "register only this endpoint, and insist; may be repeated", collect, [])
    .addOption(
      new Option("--runtime <runtime>", "where it runs: in this process, or as the Worker that would be deployed")
        .choices(["node", "workers"])
        .default("node"),
    )
    .action(async ({ port, data, endpoint, runtime }: Given) => {
      // Loaded here: the commands that only ask an orchestrator start faster without one of their own.
      const { dev } = await import("../dev/dev.js");
      await dev({ port, data, urls: endpoint, runtime });
    });
}
