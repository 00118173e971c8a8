import { Command } from "commander";
import { endpointText } from "../endpoint-text.js";
import { findEndpoint } from "../find-endpoint.js";
import { session } from "../session.js";

export function endpointsRefreshCommand(): Command {
  return new Command("refresh")
    .description("ask an endpoint again what it serves")
    .argument("<endpoint>", "its id, name or URL")
    .action(async (wanted: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const endpoint = await aiki.refreshEndpoint((await findEndpoint(aiki, wanted)).id);
      print(endpoint, () => endpointText(endpoint));
    });
}
