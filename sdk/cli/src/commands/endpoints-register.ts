import type { RegisterEndpointBody } from "@aikirun/protocol";
import { Command, Option } from "commander";
import { durationMs, header, whole } from "../arguments.js";
import { endpointText } from "../endpoint-text.js";
import { session } from "../session.js";

interface Flags {
  readonly name?: string;
  readonly header?: Record<string, string>;
  readonly maxDuration?: number;
  readonly concurrency?: number;
  readonly contentType?: NonNullable<RegisterEndpointBody["contentType"]>;
  readonly signatureHeader?: NonNullable<RegisterEndpointBody["signatureHeader"]>;
  readonly takeOver?: boolean;
}

export function endpointsRegisterCommand(): Command {
  return new Command("register")
    .description("register an endpoint, or refresh the one of that name")
    .argument("<url>")
    .option("--name <name>", "a name that stays when the URL changes (default: the URL)")
    .option("--header <name=value>", "sent with each push; name=env:VAR reads a variable; may be repeated", header)
    .option("--max-duration <duration>", "longest time one invocation may last, such as 60s", durationMs)
    .option("--concurrency <n>", "pushes under way at once", whole(1, 10_000))
    .addOption(
      new Option("--content-type <type>", "of pushes, where a firewall insists").choices([
        "application/vnd.aiki.v1+json",
        "application/json",
      ]),
    )
    .addOption(
      new Option("--signature-header <name>", "where the token travels").choices(["authorization", "aiki-signature"]),
    )
    .option("--take-over", "take versions from the endpoint that serves them now")
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
