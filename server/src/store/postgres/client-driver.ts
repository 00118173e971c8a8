/**
 * `Driver` over one connection that is opened when it is needed and closed when nobody has needed it for a while: for
 * whoever lives too short, or in too many places at once, to keep a pool.
 */
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { type Driver, type Row, type Transaction, types } from "./driver.js";
import { faultOf } from "./faults.js";
import type { Room } from "./room.js";

export interface ClientDriverOptions {
  readonly url: string;
  /** Longest time to open a connection, tries included, in milliseconds. */
  readonly connectMs: number;
  /** Longest time for one statement, in milliseconds. */
  readonly statementMs: number;
  /** How many connections this process may have open; others wait for one to be closed. */
  readonly room: Room;
}

/** Before a server that was full is asked again. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** How long a connection is kept that nobody uses: the less room there is, the sooner it is somebody else's turn. */
const IDLE_MS = 2_000;
const IDLE_CROWDED_MS = 50;

export function clientDriver(options: ClientDriverOptions): Driver {
  return new ClientDriver(options);
}

class ClientDriver implements Driver {
  readonly #options: ClientDriverOptions;
  #client: Promise<pg.Client> | undefined;
  #using = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;
  /** Statements wait while a transaction has the connection. */
  #transaction: Promise<unknown> = Promise.resolve();

  constructor(options: ClientDriverOptions) {
    this.#options = options;
  }

  async send({ values, ...query }: Parameters<Driver["send"]>[0]): Promise<readonly Row[]> {
    await this.#transaction;
    return this.#use(async (client) => (await client.query<Row>({ ...query, values: values as unknown[] })).rows);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const done = this.#transaction.then(() => this.#use((client) => drizzle(client).transaction(work)));
    this.#transaction = done.catch(() => {});
    return done;
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const client = this.#client;
    this.#client = undefined;
    await client?.then(
      (one) => one.end(),
      () => {},
    );
  }

  async #use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    this.#using += 1;
    this.#client ??= this.#open();
    const opening = this.#client;
    try {
      const client = await opening;
      this.#options.room.use(client);
      return await work(client);
    } catch (error) {
      // What the server refused leaves the connection usable; anything else does not, or nobody knows.
      if (faultOf(error) === "unavailable" || !(error instanceof pg.DatabaseError)) this.#drop(opening);
      throw error;
    } finally {
      this.#using -= 1;
      const idleMs = this.#options.room.isCrowded() ? IDLE_CROWDED_MS : IDLE_MS;
      if (this.#using === 0) this.#idle = setTimeout(() => void this.close().catch(() => {}), idleMs);
    }
  }

  #drop(opening: Promise<pg.Client>): void {
    if (this.#client === opening) this.#client = undefined;
    void opening
      .then(
        (client) => client.end(),
        () => {},
      )
      .catch(() => {});
  }

  /** A server that has no connection left just now has one soon: asked again, at random times so that many spread. */
  async #open(): Promise<pg.Client> {
    const { room, connectMs } = this.#options;
    const until = performance.now() + connectMs;
    for (let fullMs = FIRST_PAUSE_MS; ; ) {
      let pauseMs = room.ask(this);
      const late = performance.now() >= until;
      try {
        if (pauseMs === 0) return await this.#connect();
        if (late) throw noRoom();
      } catch (error) {
        if (late || !isFull(error)) {
          room.givesUp(this);
          throw error;
        }
        pauseMs = fullMs;
        fullMs = Math.min(2 * fullMs, LONGEST_PAUSE_MS);
      }
      await pause(pauseMs * (0.5 + Math.random()));
    }
  }

  async #connect(): Promise<pg.Client> {
    const { url, connectMs, statementMs, room } = this.#options;
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectMs,
      query_timeout: statementMs,
      application_name: "aiki",
      types,
    });
    room.use(client);
    client.on("error", () => {});
    client.once("end", () => room.leave(client));
    try {
      await client.connect();
      return client;
    } catch (error) {
      room.leave(client);
      throw error;
    }
  }
}

/** Too many connections, at the server or at the pooler in front of it (PostgreSQL manual, appendix A: class 53). */
function isFull(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && /^(53300|58000)$/.test(error.code)
  );
}

function noRoom(): Error {
  return Object.assign(new Error("All connections of this process (AIKI_DB_CONNECTIONS) are taken."), {
    code: "53300",
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
