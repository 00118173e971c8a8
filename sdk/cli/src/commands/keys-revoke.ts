import { Command } from "commander";
import { session } from "../session.js";

export function keysRevokeCommand(): Command {
  return new Command("revoke")
    .description("make an API key invalid for ever")
    .argument("<key-id>")
    .action(async (keyId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      await aiki.revokeKey(keyId);
      print({ id: keyId, revoked: true }, () => `Revoked ${keyId}.`);
    });
}
