/** Options and environment become settings, once for each environment that the host passes in. */
import {
  type Environment,
  environment,
  hostDurationMs,
  isLongLived,
  isProduction,
  onWorkers,
  platformOrigins,
} from "./environment.js";
import { DEVELOPMENT_URL, JWKS_PATH, jwksKeys, type KeySource, noKeys, pinnedKeys } from "./keys.js";
import { type CheckedOptions, checkKeys, checkNamespace, checkUrls } from "./options.js";

export interface Settings {
  readonly keys: KeySource;
  readonly urls: readonly string[];
  readonly origins: readonly string[];
  readonly namespace: string;
  readonly issuer: string | undefined;
  readonly maxDurationMs: number;
  /** Whether work goes on after its request was answered, without anything being done for it. */
  readonly longLived: boolean;
  /** On a developer's machine: names may be shown, defaults may be used. */
  readonly development: boolean;
}

const PROCESS_ONLY = {};

/** Gives the settings for a request's bindings. Throws `SETTING_INVALID`, at the first request that needs them. */
export function settingsReader(options: CheckedOptions): (bindings: object | undefined) => Settings {
  const known = new WeakMap<object, Settings>();
  const jwks = new Map<string, KeySource>();
  /** Bindings can be new with each request, what was fetched must outlive them. */
  const sharedJwks = (url: string): KeySource => {
    const source = jwks.get(url) ?? jwksKeys({ url });
    jwks.set(url, source);
    return source;
  };
  return (bindings) => {
    // Node's server makes a new object of its own for each request, with nothing in it that could be a setting.
    const identity = bindings && holdsText(bindings) ? bindings : PROCESS_ONLY;
    let settings = known.get(identity);
    if (!settings) {
      settings = readSettings(options, environment(identity), sharedJwks);
      known.set(identity, settings);
    }
    return settings;
  };
}

function holdsText(bindings: object): boolean {
  return Object.values(bindings).some((value) => typeof value === "string");
}

function readSettings(options: CheckedOptions, env: Environment, jwks: (url: string) => KeySource): Settings {
  const urls = env("AIKI_ENDPOINT_URL")
    ?.split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
  const keys = keySource(options, env, jwks);
  return {
    keys,
    urls: options.urls ?? (urls ? checkUrls(urls, "AIKI_ENDPOINT_URL") : []),
    origins: platformOrigins(env),
    namespace: options.namespace ?? checkNamespace(env("AIKI_NAMESPACE") ?? "default", "AIKI_NAMESPACE"),
    issuer: options.issuer ?? env("AIKI_ISSUER"),
    maxDurationMs: options.maxDurationMs ?? hostDurationMs(env),
    longLived: isLongLived(env),
    // Nothing tells a Worker where it runs, but nobody deploys one that trusts its own machine.
    development: onWorkers() ? keys.local : !isProduction(env),
  };
}

function keySource(options: CheckedOptions, env: Environment, jwks: (url: string) => KeySource): KeySource {
  if (options.publicKeys) return pinnedKeys(options.publicKeys);
  const pinned = env("AIKI_PUBLIC_KEYS");
  if (pinned) return pinnedKeys(checkKeys([pinned], "AIKI_PUBLIC_KEYS"));
  const url = env("AIKI_URL");
  if (url) return jwks(new URL(JWKS_PATH, checkUrls([url], "AIKI_URL")[0]).href);
  // A Worker in production sets none of the usual names; there loopback cannot be reached, so this default trusts nobody.
  return isProduction(env) && !onWorkers() ? noKeys : jwks(new URL(JWKS_PATH, DEVELOPMENT_URL).href);
}
