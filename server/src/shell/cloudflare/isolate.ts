/**
 * What one isolate knows, shared by the requests and objects that live in it. Plain data: a connection, a timer or a
 * promise belongs to whoever made it, and another one that waits for it may wait for ever.
 */
import type { KnownKeys } from "../../api/keys.js";
import { Metrics } from "../../api/metrics.js";
import { FailedSignIns } from "../../api/sessions.js";
import type { Mac } from "../../dispatch/checkpoint-token.js";
import { SigningKeyMemory } from "../../dispatch/keys.js";
import { EndpointMemory } from "../../dispatch/registry.js";
import { type Seal, sealWith } from "../../dispatch/seal.js";
import type { Store } from "../../store/port.js";
import { clientDriver } from "../../store/postgres/client-driver.js";
import { DatabaseClock } from "../../store/postgres/clock.js";
import { Connection } from "../../store/postgres/connection.js";
import { refuseCachedReads } from "../../store/postgres/fresh-reads.js";
import { checkSchema } from "../../store/postgres/migrate.js";
import { neonDriver, useLocalNeon } from "../../store/postgres/neon-driver.js";
import { Room } from "../../store/postgres/room.js";
import { assembleStore } from "../../store/postgres/store.js";
import { nodeMac } from "../node-mac.js";
import { type Bindings, type Configuration, readConfiguration } from "./bindings.js";
import { Observing } from "./observing.js";

const CONNECTIONS = 50;
const STATEMENT_MS = 12_000;
const CONNECT_MS = 10_000;

export class Isolate {
  readonly configuration: Configuration;
  readonly metrics = new Metrics();
  readonly endpoints = new EndpointMemory();
  readonly signingKeys = new SigningKeyMemory();
  readonly apiKeys: KnownKeys = new Map();
  readonly registrations = new Map<string, number[]>();
  readonly doubted = new Map<string, number>();
  readonly failedSignIns = new FailedSignIns(Date.now);
  readonly observing = new Observing(() => this.#clock.now().latest);
  readonly #clock = new DatabaseClock(() => performance.now());
  readonly #room: Room;
  /** Absent: every invocation ends with its step. */
  readonly checkpointMac: Mac | undefined;
  #seal: Seal | undefined;
  #epoch: number | undefined;

  constructor(configuration: Configuration) {
    this.configuration = configuration;
    this.#room = new Room(configuration.settings.AIKI_DB_CONNECTIONS ?? CONNECTIONS);
    const { local, secret, settings } = configuration;
    this.checkpointMac = settings.AIKI_CHECKPOINTS === "off" ? undefined : nodeMac(secret, "aiki checkpoint tokens");
    if (local?.neon !== undefined) useLocalNeon(local.neon);
  }

  async seal(): Promise<Seal> {
    this.#seal ??= await sealWith(this.configuration.secret);
    return this.#seal;
  }

  /** A store for one request or object. The first of an isolate sees to it that the database is one to work on. */
  async openStore(): Promise<{ readonly store: Store; readonly epoch: number }> {
    const { driver, url } = this.configuration.database;
    const options = { url, statementMs: STATEMENT_MS };
    const prepare = this.configuration.settings.AIKI_DB_PREPARE === "on";
    const connection = new Connection(
      driver === "neon" ? neonDriver(options) : clientDriver({ ...options, connectMs: CONNECT_MS, room: this.#room }),
      prepare,
      this.#clock,
    );
    const store = assembleStore(connection);
    if (this.#epoch === undefined) {
      try {
        await checkSchema(connection);
        if (driver === "hyperdrive") await refuseCachedReads(connection);
        this.#epoch = await store.epoch();
      } catch (error) {
        await store.close();
        throw error;
      }
    }
    return { store, epoch: this.#epoch };
  }
}

/** Writes down what this isolate has seen, on a connection of its own. */
export function writeDownSoon(isolate: Isolate, defer: (work: Promise<unknown>) => void): void {
  isolate.observing.flushSoon(async () => (await isolate.openStore()).store, defer);
}

let known: Isolate | undefined;

/** Throws `SETTING_INVALID`. */
export function isolateOf(env: Bindings): Isolate {
  known ??= new Isolate(readConfiguration(env));
  return known;
}
