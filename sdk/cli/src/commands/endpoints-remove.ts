import { Command } from "commander";
import { findEndpoint } from "../find-endpoint.js";
import { session } from "../session.js";
import { printable } from "../text.js";

export function endpointsRemoveCommand(): Command {
  return new Command("remove")
    .description("stop pushing to an endpoint; its runs wait for another")
    .argument("<endpoint>", "its id, name or URL")
    .action(async (wanted: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const { id, name } = await findEndpoint(aiki, wanted);
      await aiki.removeEndpoint(id);
      print({ id, name, removed: true }, () => printable(`Removed ${name}.`));
    });
}
