import type { ApiKey } from "@aikirun/protocol";
import { Command } from "commander";
import { session } from "../session.js";
import { table } from "../table.js";
import { instantText } from "../text.js";

export function keysListCommand(): Command {
  return new Command("list")
    .description("list API keys, never their secrets")
    .action(async (_options: object, command: Command) => {
      const { aiki, print } = session(command);
      const keys = await aiki.listKeys();
      print({ keys }, () =>
        table(
          [
            { head: "key" },
            { head: "name" },
            { head: "namespace" },
            { head: "scope" },
            { head: "created" },
            { head: "state" },
          ],
          keys.map((key) => [
            key.id,
            key.name ?? "",
            key.namespace,
            key.scope,
            instantText(key.createdAt),
            stateOf(key),
          ]),
        ),
      );
    });
}

function stateOf(key: ApiKey): string {
  if (key.revokedAt !== undefined) return `revoked ${instantText(key.revokedAt)}`;
  if (key.expiresAt === undefined) return "valid";
  return `${key.expiresAt > Date.now() ? "expires" : "expired"} ${instantText(key.expiresAt)}`;
}
