import type { WireError } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";

/** What was thrown, as it is recorded: bounded by `LIMITS`, causes included. Whatever user code throws, this does not. */
export function wireError(thrown: unknown, depth = 1): WireError {
  try {
    return thrown instanceof Error ? fromError(thrown, depth) : { name: "Error", message: describeValue(thrown) };
  } catch {
    return { name: "Error", message: "An error that cannot be read was thrown." };
  }
}

function fromError(error: Error, depth: number): WireError {
  const { code }: { code?: unknown } = error as { code?: unknown };
  return {
    name: text(error.name, LIMITS.nameChars) || "Error",
    message: text(error.message, LIMITS.errorMessageChars),
    ...((typeof code === "string" || typeof code === "number") && { code: text(code, LIMITS.nameChars) }),
    ...(typeof error.stack === "string" && { stack: text(error.stack, LIMITS.errorStackChars) }),
    ...(error.cause !== undefined && depth < LIMITS.errorCauses && { cause: wireError(error.cause, depth + 1) }),
  };
}

function describeValue(value: unknown): string {
  const json = typeof value === "object" ? JSON.stringify(value) : undefined;
  return text(json ?? value, LIMITS.errorMessageChars);
}

function text(value: unknown, maxChars: number): string {
  return String(value).slice(0, maxChars);
}
