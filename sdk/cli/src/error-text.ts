/** Errors of runs and tasks, as a person reads them. */
import type { WireError } from "@aikirun/protocol";
import { printable } from "./text.js";

/** `NOT_SERIALIZABLE Task …` for an error of Aiki's, as every command tells its own; else `TypeError: …`. */
export function errorTitle(error: WireError): string {
  return beginning(error) + error.message;
}

/** The error with its stack, and its causes. */
export function errorText(error: WireError): string {
  const cause = error.cause ? `\n  caused by ${errorText(error.cause)}` : "";
  return printable(withStack(error)) + cause;
}

function withStack(error: WireError): string {
  if (error.stack === undefined) return errorTitle(error);
  const named = `${error.name}: `;
  return error.stack.startsWith(named) ? beginning(error) + error.stack.slice(named.length) : error.stack;
}

/** The class says nothing that the code does not say better. */
function beginning({ name, code }: WireError): string {
  return name === "AikiError" && code !== undefined ? `${code} ` : `${name}: `;
}
