/** What a user may say about an endpoint in code. Wrong values stop the app where they are written. */
import { AikiError, LIMITS, namespaceSchema, type PublicKey } from "@aikirun/protocol";
import { type Duration, durationMs, type Logger } from "@aikirun/workflow";
import { parsePublicKeys } from "./keys.js";

export interface EndpointOptions {
  /** The URL or URLs that this endpoint is registered under. Default: `AIKI_ENDPOINT_URL`, else what the platform states. */
  readonly url?: string | readonly string[];
  /** Keys of the orchestrators to trust, as `aiki keys public` prints them. Default: `AIKI_PUBLIC_KEYS`, else asked of `AIKI_URL`. */
  readonly publicKeys?: string | readonly string[];
  /** Default: `AIKI_NAMESPACE`, else `default`. */
  readonly namespace?: string;
  /** The orchestrator's public URL, compared when given. Default: `AIKI_ISSUER`. */
  readonly issuer?: string;
  /** How long the host lets one invocation last. Default: what is known of the host. */
  readonly maxDuration?: Duration;
  /**
   * How long work may go on after its push was answered, at most a day. A push that takes longer than some ten seconds is
   * then answered with 202, and what came of it is brought to the orchestrator. Default: none does.
   */
  readonly background?: Duration;
  /**
   * Keeps the host from stopping such work: Vercel's and Next's `waitUntil`, Workers' `ctx.waitUntil`. Default: what the
   * adapter or the platform offers; a server that lives on needs none.
   */
  readonly waitUntil?: (work: Promise<unknown>) => void;
  /** For `run.logger`, task loggers and the endpoint's own troubles. Default: the console. */
  readonly logger?: Logger;
  /** How much history is kept between pushes of a run. */
  readonly keepHistory?: { readonly runs?: number; readonly bytes?: number };
}

/** The same with what the served versions need; `ContextOption` says when it must be there and what it is. */
export interface AnyEndpointOptions extends EndpointOptions {
  readonly context?: unknown;
}

/** The options, checked, in the form that settings are made of. */
export interface CheckedOptions {
  readonly urls: readonly string[] | undefined;
  readonly publicKeys: readonly PublicKey[] | undefined;
  readonly namespace: string | undefined;
  readonly issuer: string | undefined;
  readonly maxDurationMs: number | undefined;
  readonly backgroundMs: number | undefined;
  readonly waitUntil: EndpointOptions["waitUntil"];
  readonly logger: Logger | undefined;
  readonly context: unknown;
  readonly keepHistory: { readonly runs?: number; readonly bytes?: number };
}

const KNOWN = [
  "url",
  "publicKeys",
  "namespace",
  "issuer",
  "maxDuration",
  "background",
  "waitUntil",
  "logger",
  "context",
  "keepHistory",
];

/** Throws `SETTING_INVALID`, naming the option. */
export function checkOptions(options: AnyEndpointOptions): CheckedOptions {
  refuseUnknown(options, KNOWN, "option");
  const { keepHistory = {}, maxDuration, background, waitUntil, url, publicKeys } = options;
  refuseUnknown(keepHistory, ["runs", "bytes"], "member of keepHistory");
  if (waitUntil !== undefined && typeof waitUntil !== "function") throw invalid("waitUntil must be a function.");
  for (const [name, value] of Object.entries(keepHistory)) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw invalid(`keepHistory.${name} must be a whole number that is not negative.`);
  }
  return {
    urls: url === undefined ? undefined : checkUrls(list(url), "url"),
    publicKeys: publicKeys === undefined ? undefined : checkKeys(list(publicKeys), "publicKeys"),
    namespace: options.namespace === undefined ? undefined : checkNamespace(options.namespace, "namespace"),
    issuer: options.issuer,
    maxDurationMs: maxDuration === undefined ? undefined : checkMaxDuration(durationMs(maxDuration, "maxDuration")),
    backgroundMs: background === undefined ? undefined : checkBackground(durationMs(background, "background")),
    waitUntil,
    logger: options.logger === undefined ? undefined : checkLogger(options.logger),
    context: options.context,
    keepHistory,
  };
}

function list(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value;
}

export function checkUrls(urls: readonly string[], setting: string): readonly string[] {
  const bad = urls.find((url) => !/^https?:\/\//i.test(url) || !URL.canParse(url));
  if (bad !== undefined)
    throw invalid(`${setting} holds ${JSON.stringify(bad)}, which is not a whole http or https URL.`);
  return urls;
}

export function checkKeys(texts: readonly string[], setting: string): readonly PublicKey[] {
  const { keys, bad } = parsePublicKeys(texts);
  if (bad !== undefined) {
    throw invalid(
      `${setting} holds ${JSON.stringify(bad.slice(0, 80))}, which is no public key. \`aiki keys public\` prints them.`,
    );
  }
  if (keys.length === 0) throw invalid(`${setting} holds no key. \`aiki keys public\` prints them.`);
  return keys;
}

export function checkNamespace(namespace: string, setting: string): string {
  const parsed = namespaceSchema.safeParse(namespace);
  if (!parsed.success) throw invalid(`${setting} ${parsed.error.issues[0]?.message ?? "is no namespace"}.`);
  return parsed.data;
}

const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** Of pino's shape: seen here, and not when the first line is written. */
function checkLogger(logger: Logger): Logger {
  const missing = LEVELS.find((level) => typeof logger?.[level] !== "function");
  if (missing) throw invalid(`logger has no function ${missing}; it needs ${LEVELS.join(", ")}, as pino has them.`);
  return logger;
}

function checkMaxDuration(ms: number): number {
  if (ms < 1_000) throw invalid(`maxDuration is ${ms} ms; an invocation needs at least a second.`);
  return ms;
}

function checkBackground(ms: number): number {
  if (ms < 1_000 || ms > LIMITS.callbackMs)
    throw invalid(`background is ${ms} ms; expected a second to a day (${LIMITS.callbackMs} ms).`);
  return ms;
}

function refuseUnknown(object: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(object).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid(`There is no ${what} ${JSON.stringify(unknown)}. Known are ${known.join(", ")}.`);
}

export function invalid(message: string): AikiError {
  return new AikiError("SETTING_INVALID", message);
}
