/** The orchestrator on Node: `aiki dev` and `aiki start`. */
import { readFile } from "node:fs/promises";
import { AikiError } from "@aikirun/protocol";
import type { JWK } from "jose";
import { openSigningKeys, pinnedSigningKey, type SigningKeys } from "../dispatch/keys.js";
import { type Seal, sealWith } from "../dispatch/seal.js";
import { LOOPBACK_CIDRS } from "../egress/address.js";
import { type EgressPolicy, PUBLIC_ONLY } from "../egress/policy.js";
import type { Log } from "../log.js";
import type { Store } from "../store/port.js";
import { migrate as migrateDatabase, pendingMigrations as pendingIn } from "../store/postgres/migrate.js";
import { raiseEpoch as raiseEpochOf } from "../store/postgres/restored.js";
import { openPostgresStore } from "../store/postgres/store.js";
import { invalid, type Settings } from "./env.js";
import { jsonLog } from "./json-log.js";
import { type Listening, listen } from "./listen.js";
import { readMigrations } from "./migrations.js";
import { nodeExchange } from "./node-exchange.js";
import { nodeMac } from "./node-mac.js";
import { nodeSigner } from "./node-signer.js";
import { type Orchestrator, orchestrator } from "./orchestrator.js";

export interface ServerOptions {
  /** From `readSettings`; what is absent has its default. */
  readonly settings: Partial<Settings>;
  /**
   * `dev`: listens on loopback, needs no API key, pushes to loopback, refuses other web sites. `start`: needs
   * `DATABASE_URL`, `AIKI_SECRET` and a key, and pushes to the public internet.
   */
  readonly mode: "dev" | "start";
  /** Instead of `DATABASE_URL`: its caller closes it. */
  readonly store?: Store;
  /** The project's folder, which another `aiki dev` names when it finds the port taken. */
  readonly folder?: string;
  /** Default: JSON lines on standard error. */
  readonly log?: Log;
}

export interface RunningServer {
  /** `http://localhost:9850`, or `AIKI_PUBLIC_URL`. */
  readonly url: string;
  readonly port: number;
  /** One sentence for each way in which a crash of the database's machine may lose data. */
  readonly warnings: readonly string[];
  /** Calls `ended` for every run that this process brings to its end. Returns what stops it. */
  onRunEnd(ended: (namespace: string, runId: string) => void): () => void;
  /** Lets pushes and requests under way end, gives all leases back, closes everything. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 9850;
const STOP_GRACE_MS = 10_000;
const ENDPOINT_CONNECTIONS = 256;
const REGISTRATIONS_PER_MINUTE = 60;

/**
 * Throws `SETTING_INVALID`, `OPEN_SERVER`, `PORT_IN_USE`, `SCHEMA_TOO_OLD`, `SCHEMA_UNKNOWN`, `DATABASE_UNSAFE`, or
 * `StoreUnavailable`.
 * What was opened until then is closed again.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closers: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const { settings, mode } = options;
    const secret = requireSecret(settings);
    const seal = await sealWith(secret);
    const { store, warnings } = await openStore(options, closers);
    const log = options.log ?? jsonLog();
    if (mode === "start") for (const warning of warnings) log.warn(warning, { code: "DATABASE_UNSAFE" });
    if (mode === "start") await refuseToRunOpen(settings, store);
    const exchange = nodeExchange({
      policy: egressPolicy(settings, mode),
      connections: settings.AIKI_ENDPOINT_CONNECTIONS ?? ENDPOINT_CONNECTIONS,
    });
    closers.push(() => exchange.close());
    let listening: Listening | undefined;
    const publicUrl = () => settings.AIKI_PUBLIC_URL ?? `http://localhost:${listening?.port ?? settings.PORT}`;
    const aiki = await orchestrator({
      store,
      seal,
      signingKeys: await signingKeys(settings, store, seal),
      exchange,
      policy: egressPolicy(settings, mode),
      publicUrl,
      checkpointMac: settings.AIKI_CHECKPOINTS === "off" ? undefined : nodeMac(secret, "aiki checkpoint tokens"),
      reachableByEndpoints: mode === "dev" || settings.AIKI_PUBLIC_URL !== undefined,
      auth: mode === "start" ? { adminKey: settings.AIKI_ADMIN_KEY } : undefined,
      dispatch: dispatchSettings(settings),
      registrationsPerMinute: settings.AIKI_REGISTRATIONS_PER_MINUTE ?? REGISTRATIONS_PER_MINUTE,
      version: await ownVersion(),
      ...(options.folder !== undefined && { self: { pid: process.pid, folder: options.folder } }),
      log,
    });
    const host = settings.AIKI_HOST ?? (mode === "dev" ? "127.0.0.1" : "::");
    listening = await listen(aiki.app, host, settings.PORT ?? DEFAULT_PORT);
    closers.push(closerOf(aiki, listening, settings.AIKI_STOP_GRACE_MS ?? STOP_GRACE_MS));
    await aiki.start();
    return {
      url: publicUrl(),
      port: listening.port,
      warnings,
      onRunEnd: (ended) => aiki.dispatcher.hub.watchEnds(ended),
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Brings the database to this version's schema. Returns the names of the migrations that it applied. */
export async function migrate(databaseUrl: string): Promise<string[]> {
  return migrateDatabase(databaseUrl, await readMigrations());
}

/** Names of the migrations that `migrate` would apply. Changes nothing. */
export async function pendingMigrations(databaseUrl: string): Promise<string[]> {
  return pendingIn(databaseUrl, await readMigrations());
}

/** After a restore: nothing that was sent before it counts any more. Returns the new epoch. */
export async function raiseEpoch(databaseUrl: string): Promise<number> {
  return raiseEpochOf(databaseUrl);
}

function closerOf(aiki: Orchestrator, listening: Listening, graceMs: number): () => Promise<void> {
  return async () => {
    // Reachable until no push is under way any more: checkpoints tell invocations to come to their end.
    await aiki.stop(graceMs);
    await listening.close(graceMs);
  };
}

function requireSecret(settings: Partial<Settings>): Uint8Array<ArrayBuffer> {
  if (settings.AIKI_SECRET) return settings.AIKI_SECRET;
  throw invalid(
    "AIKI_SECRET",
    "is missing: 32 bytes in base64 that encrypt what the database keeps; make one with: openssl rand -base64 32",
  );
}

async function openStore(
  { settings, store }: ServerOptions,
  closers: (() => Promise<void>)[],
): Promise<{ store: Store; warnings: readonly string[] }> {
  if (store) return { store, warnings: [] };
  const url = settings.DATABASE_URL;
  if (url === undefined) throw invalid("DATABASE_URL", "is missing: postgres://user:password@host/database");
  const prepare = settings.AIKI_DB_PREPARE;
  const opened = await openPostgresStore({
    url,
    ...(prepare !== undefined && prepare !== "auto" && { prepare: prepare === "on" }),
    ...(settings.AIKI_DB_CONNECTIONS !== undefined && { maxConnections: settings.AIKI_DB_CONNECTIONS }),
  });
  closers.push(() => opened.store.close());
  return opened;
}

async function refuseToRunOpen(settings: Partial<Settings>, store: Store): Promise<void> {
  if (settings.AIKI_ADMIN_KEY !== undefined || (await store.hasKeys())) return;
  throw new AikiError(
    "OPEN_SERVER",
    "aiki start needs a key, and the database holds none. Set AIKI_ADMIN_KEY to 24 random characters or more, and make the others with: aiki keys create.",
  );
}

async function signingKeys(settings: Partial<Settings>, store: Store, seal: Seal): Promise<SigningKeys> {
  if (settings.AIKI_SIGNING_KEY) return pinnedSigningKey(settings.AIKI_SIGNING_KEY as JWK, nodeSigner);
  return openSigningKeys({ store, seal, makeSigner: nodeSigner, now: Date.now });
}

function egressPolicy(settings: Partial<Settings>, mode: ServerOptions["mode"]): EgressPolicy {
  return {
    allow: [...(mode === "dev" ? LOOPBACK_CIDRS : []), ...(settings.AIKI_EGRESS_ALLOW ?? [])],
    ports: settings.AIKI_EGRESS_PORTS ?? PUBLIC_ONLY.ports,
  };
}

function dispatchSettings(settings: Partial<Settings>): { leaseMs?: number; maxHeld?: number } {
  return {
    ...(settings.AIKI_LEASE_MS !== undefined && { leaseMs: settings.AIKI_LEASE_MS }),
    ...(settings.AIKI_MAX_RUNS !== undefined && { maxHeld: settings.AIKI_MAX_RUNS }),
  };
}

async function ownVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return manifest.version;
}
