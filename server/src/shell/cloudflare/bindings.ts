/** What a deployment gives the Worker: `wrangler.toml` names it. Settings are the strings among it. */
import type { AikiError } from "@aikirun/protocol";
import { type Environment, invalid, readSettings, type Settings } from "../env.js";
import type { LocalHost } from "../local-host.js";

export interface Bindings {
  readonly RUNS: DurableObjectNamespace;
  readonly DESKS: DurableObjectNamespace;
  readonly CLOCK: DurableObjectNamespace;
  /** Postgres through Hyperdrive. Absent: `DATABASE_URL` is a database of Neon's. */
  readonly HYPERDRIVE?: Hyperdrive;
  /** The dashboard's files. */
  readonly ASSETS?: Fetcher;
  /** Set by `aiki dev` alone: JSON of `LocalHost`. */
  readonly LOCAL?: string;
}

export interface Configuration {
  readonly settings: Settings;
  readonly secret: Uint8Array<ArrayBuffer>;
  readonly publicUrl: string;
  readonly database: { readonly driver: "hyperdrive" | "neon"; readonly url: string };
  readonly local: LocalHost | undefined;
}

/** Throws `SETTING_INVALID`. */
export function readConfiguration(env: Bindings): Configuration {
  const texts = Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const settings = readSettings(Object.fromEntries(texts) as Environment);
  const { AIKI_SECRET: secret, AIKI_PUBLIC_URL: publicUrl } = settings;
  if (!secret)
    throw missing("AIKI_SECRET", "32 bytes in base64: openssl rand -base64 32 | wrangler secret put AIKI_SECRET");
  if (!publicUrl) throw missing("AIKI_PUBLIC_URL", "the address of this Worker, under [vars] in wrangler.toml");
  return {
    settings,
    secret,
    publicUrl,
    database: databaseOf(env, settings),
    local: env.LOCAL === undefined ? undefined : (JSON.parse(env.LOCAL) as LocalHost),
  };
}

function databaseOf({ HYPERDRIVE }: Bindings, { DATABASE_URL }: Settings): Configuration["database"] {
  if (HYPERDRIVE && DATABASE_URL !== undefined) {
    throw invalid("DATABASE_URL", "and the binding HYPERDRIVE both name a database; keep one of them");
  }
  if (HYPERDRIVE) return { driver: "hyperdrive", url: HYPERDRIVE.connectionString };
  if (DATABASE_URL !== undefined) return { driver: "neon", url: DATABASE_URL };
  throw missing(
    "DATABASE_URL",
    "a Neon database: wrangler secret put DATABASE_URL; or bind HYPERDRIVE in wrangler.toml",
  );
}

function missing(name: string, what: string): AikiError {
  return invalid(name, `is missing: ${what}`);
}
