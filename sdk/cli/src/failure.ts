import { AikiError } from "@aikirun/protocol/canonical";
import pc from "picocolors";
import { printable } from "./text.js";

/** Tells a person, or with `--json` a machine, why a command failed. Stacks are for bugs, not for mistakes. */
export function report(error: unknown, json: boolean): void {
  if (json) {
    const code = error instanceof AikiError ? error.code : "INTERNAL";
    const details = error instanceof AikiError ? error.details : undefined;
    process.stderr.write(`${JSON.stringify({ error: { code, message: messageOf(error), details } })}\n`);
  } else if (error instanceof AikiError) {
    process.stderr.write(`${pc.red(error.code)} ${printable(error.message)}\n`);
  } else {
    process.stderr.write(
      `${pc.red("INTERNAL")} This is a bug in aiki. ${error instanceof Error ? error.stack : String(error)}\n`,
    );
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A wrong value given on the command line. */
export function invalidArgument(message: string): AikiError {
  return new AikiError("INVALID_ARGUMENT", message);
}
