import type { CreateKeyBody } from "@aikirun/protocol";
import { Command, Option } from "commander";
import { durationMs } from "../arguments.js";
import { hint, session } from "../session.js";

interface Flags {
  readonly name?: string;
  readonly namespace?: string;
  readonly scope?: NonNullable<CreateKeyBody["scope"]>;
  readonly expires?: number;
}

export function keysCreateCommand(): Command {
  return new Command("create")
    .description("make an API key; its secret is printed once and never again")
    .option("--name <name>", "for people")
    .option("--namespace <name>", "made when it is absent (default: the namespace of the key you use)")
    .addOption(new Option("--scope <scope>", "what the key may do").choices(["read", "write", "admin"]))
    .option("--expires <duration>", "how long it is valid, such as 90d (default: until revoked)", durationMs)
    .action(async ({ expires, ...flags }: Flags, command: Command) => {
      const { aiki, print, json } = session(command);
      const created = await aiki.createKey(
        expires === undefined ? flags : { ...flags, expiresAt: Date.now() + expires },
      );
      print(created, () => created.secret);
      if (!json)
        hint(
          `${created.key.id}: scope ${created.key.scope}, namespace ${created.key.namespace}. Keep it; it is not shown again.`,
        );
    });
}
