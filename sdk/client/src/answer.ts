import { AikiError, ERROR_CODES, type ErrorCode } from "@aikirun/protocol/canonical";
import type { Settings } from "./settings.js";

/** Bytes of one answer that this client reads: a page of history with large outputs. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: AikiError };

/** Reads an answer of the HTTP API. Throws only when the connection breaks while reading. */
export async function readAnswer(response: Response, settings: Settings): Promise<Answer> {
  const text = await readBounded(response);
  if (text === undefined) return bad(`${settings.url} sent more than ${MAX_ANSWER_BYTES} bytes.`);
  if (response.ok && text === "") return { ok: true, value: undefined };
  const value = parseJson(text);
  if (response.ok && typeof value === "object" && value !== null) return { ok: true, value };
  if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
    const location = response.headers.get("location");
    return bad(
      `${settings.url} redirects${location ? ` to ${location}` : ""}. Set AIKI_URL to the orchestrator's own URL.`,
    );
  }
  const error = errorOf(value);
  if (!error) {
    const media = response.headers.get("content-type") ?? "no content type";
    return bad(
      `${settings.url} answered ${response.status} (${media}) instead of Aiki's JSON. Is AIKI_URL the orchestrator, and is nothing in front of it?`,
    );
  }
  if (response.status === 401) return { ok: false, error: unauthorized(settings) };
  const code = (ERROR_CODES as readonly string[]).includes(error.code) ? (error.code as ErrorCode) : "BAD_RESPONSE";
  const details = {
    ...error.details,
    httpStatus: response.status,
    ...(code === error.code ? {} : { code: error.code }),
  };
  return { ok: false, error: new AikiError(code, error.message, { details }) };
}

function unauthorized(settings: Settings): AikiError {
  const what =
    settings.apiKey === undefined
      ? `${settings.url} wants an API key and AIKI_API_KEY is missing.`
      : `${settings.url} refused the API key: AIKI_API_KEY is revoked, expired, or of another orchestrator or namespace.`;
  return new AikiError("UNAUTHORIZED", `${what} Make one with \`aiki keys create\`.`, {
    details: { httpStatus: 401 },
  });
}

function bad(message: string): Answer {
  return { ok: false, error: new AikiError("BAD_RESPONSE", message) };
}

function errorOf(value: unknown): { code: string; message: string; details: Record<string, unknown> } | undefined {
  if (typeof value !== "object" || value === null || !("error" in value)) return undefined;
  const error = value.error;
  if (typeof error !== "object" || error === null || !("code" in error) || !("message" in error)) return undefined;
  if (typeof error.code !== "string" || typeof error.message !== "string") return undefined;
  const details =
    "details" in error && typeof error.details === "object" && error.details !== null ? error.details : {};
  return { code: error.code, message: error.message, details: { ...details } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readBounded(response: Response): Promise<string | undefined> {
  if (!response.body) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const chunk = await reader.read();
    if (chunk.done) return text + decoder.decode();
    bytes += chunk.value.byteLength;
    if (bytes > MAX_ANSWER_BYTES) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(chunk.value, { stream: true });
  }
}
