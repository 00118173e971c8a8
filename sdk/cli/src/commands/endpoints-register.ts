import type { RegisterEndpointBody } from "@aikirun/protocol";
import { Command } from "commander";
import { durationMs } from "../arguments.js";
import { addressOptions } from "../endpoint-address.js";
import { endpointText } from "../endpoint-text.js";
import { session } from "../session.js";

interface Flags extends Omit<RegisterEndpointBody, "url" | "headers" | "maxDurationMs"> {
  readonly header?: Record<string, string>;
  readonly maxDuration?: number;
}

export function endpointsRegisterCommand(): Command {
  const command = new Command("register")
    .description("register an endpoint, or refresh the one of that name")
    .argument("<url>")
    .option("--name <name>", "a name that stays when the URL changes (default: the URL)")
    .option("--max-duration <duration>", "longest time one invocation may last, such as 60s", durationMs);
  return addressOptions(command)
    .option("--take-over", "take versions from the endpoint that serves them now")
    .option("--check", "replay runs in flight first, and refuse when one of them would stop")
    .action(async (url: string, flags: Flags, command: Command) => {
      const { aiki, print } = session(command);
      const { header: headers, maxDuration: maxDurationMs, ...rest } = flags;
      const endpoint = await aiki.registerEndpoint({
        url,
        ...rest,
        ...(headers === undefined ? {} : { headers }),
        ...(maxDurationMs === undefined ? {} : { maxDurationMs }),
      });
      print(endpoint, () => endpointText(endpoint));
    });
}
