import { AikiError, ERROR_CODES, type ErrorCode } from "@aikirun/protocol/canonical";
import type { HttpAnswer } from "@aikirun/protocol/http";
import type { Settings } from "./settings.js";

export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: AikiError };

/** Reads an answer of the HTTP API. */
export function readAnswer({ status, header, text }: HttpAnswer, settings: Settings): Answer {
  const ok = status >= 200 && status < 300;
  if (ok && text === "") return { ok: true, value: undefined };
  const value = parseJson(text);
  if (ok && typeof value === "object" && value !== null) return { ok: true, value };
  if (status >= 300 && status < 400) {
    const location = header("location");
    return badAnswer(
      `${settings.url} redirects${location ? ` to ${location}` : ""}. Set AIKI_URL to the orchestrator's own URL.`,
    );
  }
  const error = errorOf(value);
  if (!error) {
    const media = header("content-type") ?? "no content type";
    return badAnswer(
      `${settings.url} answered ${status} (${media}) instead of Aiki's JSON. Is AIKI_URL the orchestrator, and is nothing in front of it?`,
    );
  }
  if (status === 401) return { ok: false, error: unauthorized(settings) };
  const code = (ERROR_CODES as readonly string[]).includes(error.code) ? (error.code as ErrorCode) : "BAD_RESPONSE";
  const details = { ...error.details, status, ...(code === error.code ? {} : { code: error.code }) };
  return { ok: false, error: new AikiError(code, error.message, { details }) };
}

function unauthorized(settings: Settings): AikiError {
  const what =
    settings.apiKey === undefined
      ? `${settings.url} wants an API key and AIKI_API_KEY is missing.`
      : `${settings.url} refused the API key: AIKI_API_KEY is revoked, expired, or of another orchestrator or namespace.`;
  return new AikiError("UNAUTHORIZED", `${what} Make one with \`aiki keys create\`.`, {
    details: { status: 401 },
  });
}

export function badAnswer(message: string): { readonly ok: false; readonly error: AikiError } {
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
