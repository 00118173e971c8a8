import { Command } from "commander";
import { hint, session } from "../session.js";
import { paintStatus, table } from "../table.js";
import { printable } from "../text.js";

export function endpointsListCommand(): Command {
  return new Command("list")
    .description("list endpoints and their health")
    .action(async (_options: object, command: Command) => {
      const { aiki, print, json } = session(command);
      const endpoints = await aiki.listEndpoints();
      print({ endpoints }, () =>
        table(
          [{ head: "endpoint" }, { head: "name" }, { head: "status", paint: paintStatus }, { head: "serves" }],
          endpoints.map((one) => [
            one.id,
            one.name === one.url ? one.url : `${one.name} (${one.url})`,
            one.status,
            one.workflows.map(({ name, version }) => `${name}@${version}`).join(", "),
          ]),
        ),
      );
      for (const { name, trouble } of json ? [] : endpoints) {
        if (trouble) hint(printable(`${name}: ${trouble.code} ${trouble.message}`));
      }
    });
}
