import { type Command, Option } from "commander";
import { header, whole } from "./arguments.js";

/** How an endpoint wants to be spoken to: the same for a registration and a check. */
export function addressOptions(command: Command): Command {
  return command
    .option("--header <name=value>", "sent with each push; name=env:VAR reads a variable; may be repeated", header)
    .option("--concurrency <n>", "pushes under way at once", whole(1, 10_000))
    .addOption(
      new Option("--content-type <type>", "of pushes, where a firewall insists").choices([
        "application/vnd.aiki.v1+json",
        "application/json",
      ]),
    )
    .addOption(
      new Option("--signature-header <name>", "where the token travels").choices(["authorization", "aiki-signature"]),
    );
}
