import { Command } from "commander";
import { session } from "../session.js";

export function keysPublicCommand(): Command {
  return new Command("public")
    .description("print the value for AIKI_PUBLIC_KEYS: the keys that verify pushes")
    .action(async (_options: object, command: Command) => {
      const { formatPublicKey, publicKeyFromJwk } = await import("@aikirun/protocol");
      const { aiki, print } = session(command);
      // A key of a kind that this version does not know is of no use to an endpoint of this version either.
      const keys = (await aiki.publicKeys()).map(publicKeyFromJwk).filter((key) => key !== undefined);
      const value = keys.map(formatPublicKey).join(",");
      print({ value, keys: keys.map(({ kid, alg }) => ({ kid, alg })) }, () => value);
    });
}
