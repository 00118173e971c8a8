import { AikiError } from "@aikirun/protocol/canonical";

export interface ClientOptions {
  /** Where the orchestrator answers. Default: `AIKI_URL`; outside production `http://localhost:9850`. */
  readonly url?: string | undefined;
  /** Default: `AIKI_API_KEY`. `aiki dev` needs none on the same machine. */
  readonly apiKey?: string | undefined;
  /** Default: `node:http` on Node, the platform's own `fetch` elsewhere. */
  readonly fetch?: typeof fetch | undefined;
  /** Times that one request is sent before it fails, 1 to 100. Default 5. */
  readonly maxAttempts?: number | undefined;
  /** Milliseconds that one attempt may take, from 1. Default 30,000. Long polls add the time they ask for. */
  readonly timeoutMs?: number | undefined;
}

/** What every request needs; `url` has no slash at its end. */
export interface Settings {
  readonly url: string;
  readonly apiKey: string | undefined;
}

export const DEVELOPMENT_URL = "http://localhost:9850";
const OPTION_NAMES = ["url", "apiKey", "fetch", "maxAttempts", "timeoutMs"];

/** Refuses options that can never work. Reads nothing from outside. */
export function checkOptions(options: ClientOptions): void {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.includes(name)) {
      throw invalid(`client() has no option "${name}". Its options are ${OPTION_NAMES.join(", ")}.`);
    }
  }
  if (options.url !== undefined) parseUrl(options.url, "client({ url })");
  if (options.apiKey !== undefined) checkApiKey(options.apiKey, "client({ apiKey })");
  checkWhole(options.maxAttempts, "maxAttempts", 100);
  checkWhole(options.timeoutMs, "timeoutMs", 24 * 60 * 60 * 1000);
}

/**
 * Options first, then the environment. A missing URL is an error of the first request, not of `client()`:
 * build steps load an app's modules in production mode and have no settings.
 */
export function resolveSettings(options: ClientOptions): Settings {
  const env = environment();
  const apiKey = options.apiKey ?? emptyToUndefined(env.AIKI_API_KEY);
  if (apiKey !== undefined) checkApiKey(apiKey, "AIKI_API_KEY");
  const fromEnv = emptyToUndefined(env.AIKI_URL);
  if (options.url !== undefined) return { url: parseUrl(options.url, "client({ url })"), apiKey };
  if (fromEnv !== undefined) return { url: parseUrl(fromEnv, "AIKI_URL"), apiKey };
  if (env.NODE_ENV === "production") {
    throw invalid(
      `AIKI_URL is not set. In production the client does not guess where the orchestrator is: set AIKI_URL, or call client({ url }).`,
    );
  }
  return { url: DEVELOPMENT_URL, apiKey };
}

function parseUrl(text: string, setting: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw invalid(
      `${setting} is ${JSON.stringify(text)}. Expected the orchestrator's URL, such as ${DEVELOPMENT_URL}.`,
    );
  }
  if (url.username || url.password || url.search || url.hash) {
    throw invalid(`${setting} must hold no credentials, query or fragment. The API key goes into AIKI_API_KEY.`);
  }
  return url.href.replace(/\/+$/, "");
}

function checkApiKey(key: string, setting: string): void {
  if (!/^[\x21-\x7e]{1,1024}$/.test(key)) {
    throw invalid(`${setting} must be 1 to 1,024 visible ASCII characters, as \`aiki keys create\` printed it.`);
  }
}

function checkWhole(value: number | undefined, name: string, max: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= max)) {
    throw invalid(`client({ ${name} }) is ${value}. Expected a whole number from 1 to ${max}.`);
  }
}

function invalid(message: string): AikiError {
  return new AikiError("SETTING_INVALID", message);
}

function emptyToUndefined(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** Node, Bun and Workers with Node compatibility have `process.env`; elsewhere there is no environment to read. */
function environment(): Readonly<Record<string, string | undefined>> {
  return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};
}
