/** Reads a request's body within its bounds: bytes before parsing, depth before parsing, then the schema. */
import { AikiError, type Command, concatBytes, type JsonValue, jsonTextDepth, LIMITS } from "@aikirun/protocol";
import type { z } from "zod";

/** Nesting of a body that is parsed at all. Each payload in it has its own bound, so that one spoils no other. */
const BODY_DEPTH = 2 * LIMITS.jsonDepth;

/** `{}` when there is no body at all. Throws `UNSUPPORTED_MEDIA_TYPE`, `BODY_TOO_LARGE`, `JSON_TOO_DEEP`, `INVALID_REQUEST`. */
export async function readJson(request: Request): Promise<unknown> {
  const length = request.headers.get("content-length");
  if (length === "0" || (length === null && request.headers.get("transfer-encoding") === null)) return {};
  requireJson(request.headers.get("content-type"));
  const text = decode(await readBytes(request, length));
  if (text.trim() === "") return {};
  if (jsonTextDepth(text) > BODY_DEPTH) {
    throw new AikiError("JSON_TOO_DEEP", `The body nests deeper than ${LIMITS.jsonDepth} levels. Send flatter data.`);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new AikiError("INVALID_REQUEST", "The body is not JSON.");
  }
}

/** A page of another site can send a form's types without asking first; this one it cannot. */
function requireJson(contentType: string | null): void {
  if (/^application\/json\s*(;|$)/i.test(contentType ?? "")) return;
  throw new AikiError(
    "UNSUPPORTED_MEDIA_TYPE",
    `Bodies are application/json; this request says ${(contentType ?? "nothing").slice(0, 100)}.`,
  );
}

async function readBytes(request: Request, length: string | null): Promise<Uint8Array> {
  if (length !== null) {
    if (Number(length) > LIMITS.bodyBytes) throw tooLarge();
    return new Uint8Array(await request.arrayBuffer());
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > LIMITS.bodyBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return concatBytes(chunks, bytes);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new AikiError("INVALID_REQUEST", "The body is not UTF-8.");
  }
}

function tooLarge(): AikiError {
  return new AikiError("BODY_TOO_LARGE", `A body holds at most ${LIMITS.bodyBytes.toLocaleString("en-US")} bytes.`);
}

/**
 * One input, output or event. `name` is the field that holds it. Throws `PAYLOAD_TOO_LARGE`, `JSON_TOO_DEEP`.
 */
export function checkPayload(value: JsonValue | undefined, name: string): void {
  if (value === undefined) return;
  const text = JSON.stringify(value);
  // Each level takes two brackets, so that most payloads need no look.
  if (text.length > 2 * LIMITS.jsonDepth && jsonTextDepth(text) > LIMITS.jsonDepth) {
    throw new AikiError("JSON_TOO_DEEP", `${name} nests deeper than ${LIMITS.jsonDepth} levels. Send flatter data.`);
  }
  // A character is at most three bytes of UTF-8, so that most payloads need no count.
  if (text.length * 3 <= LIMITS.payloadBytes) return;
  const bytes = new TextEncoder().encode(text).byteLength;
  if (bytes <= LIMITS.payloadBytes) return;
  throw new AikiError(
    "PAYLOAD_TOO_LARGE",
    `${name} is ${bytes.toLocaleString("en-US")} bytes of JSON; at most ${LIMITS.payloadBytes.toLocaleString("en-US")} are taken. Store it elsewhere and send where it is.`,
  );
}

/** What an invocation brings. Throws as `checkPayload` does. */
export function checkCommands(commands: readonly Command[]): void {
  for (const command of commands) {
    if (command.type === "task.completed") checkPayload(command.output, `the output of ${command.key}`);
    else if (command.type === "child.start") checkPayload(command.input, `the input of ${command.key}`);
    else if (command.type === "run.completed") checkPayload(command.output, "the output of the run");
  }
}

/** Checks one part of a request. The first fault is named with its path. */
export function parsePart<T>(schema: z.ZodType<T>, value: unknown, part: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.map(String).join(".");
  const where = path ? `${part}: ${path}` : part;
  throw new AikiError("INVALID_REQUEST", `${where}: ${issue?.message ?? "is not valid"}.`, {
    details: {
      issues: parsed.error.issues.slice(0, 10).map(({ path, message }) => ({ path: path.map(String), message })),
    },
  });
}
