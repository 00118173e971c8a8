/**
 * Stands between an orchestrator and Postgres and understands just enough of the frontend/backend protocol (PostgreSQL
 * manual, chapter 54): it knows which statement a client executes, and when its answer is complete. It counts, refuses,
 * and cuts connections at exactly the wrong moment.
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What happens to one execution: its request never arrives, or its answer never does, though it took effect. */
export type Cut = "request" | "answer" | undefined;

export interface PostgresProxy {
  /** The database, through the proxy. */
  readonly url: string;
  /** Each execution so far: the name of the prepared statement, or the text of one that has none. */
  readonly executed: string[];
  /** Asked for each execution. */
  cut: (statement: string) => Cut;
  /** Another server takes the place of the one behind. */
  target(databaseUrl: string): void;
  /** From now on nobody gets through, and every connection is gone. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

export async function startPostgresProxy(databaseUrl: string): Promise<PostgresProxy> {
  let behind = new URL(databaseUrl);
  let port = 0;
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  const executed: string[] = [];
  const proxy: PostgresProxy = {
    get url() {
      const url = new URL(behind);
      url.hostname = "127.0.0.1";
      url.port = String(port);
      return url.href;
    },
    executed,
    cut: () => undefined,
    target: (url) => {
      behind = new URL(url);
    },
    async down() {
      const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
      server = undefined;
    },
    async up() {
      const accepting = createServer((client) => {
        const upstream = connect(Number(behind.port), behind.hostname);
        for (const socket of [client, upstream]) {
          sockets.add(socket);
          socket.setNoDelay(true);
          socket.on("close", () => sockets.delete(socket));
        }
        relay(client, upstream, (statement) => {
          executed.push(statement);
          return proxy.cut(statement);
        });
      });
      server = accepting;
      await new Promise<void>((resolve, reject) => {
        accepting.once("error", reject);
        accepting.listen(port, "127.0.0.1", resolve);
      });
      port = (accepting.address() as AddressInfo).port;
    },
    close: () => proxy.down(),
  };
  await proxy.up();
  return proxy;
}

function relay(client: Socket, upstream: Socket, execute: (statement: string) => Cut): void {
  const cutBoth = () => {
    client.destroy();
    upstream.destroy();
  };
  client.on("error", cutBoth).on("close", cutBoth);
  upstream.on("error", cutBoth).on("close", cutBoth);

  // Set while the answer to an execution is withheld: what came of it so far.
  let withheld: Messages | undefined;
  const requests = new Messages(true);
  const texts = new Map<string, string>();
  let bound = "";
  client.on("data", (chunk) => {
    for (const message of requests.split(chunk)) {
      const { tag, body } = message;
      if (tag === "P") texts.set(textAt(body, 0), textAt(body, 1));
      if (tag === "B") bound = textAt(body, 1);
      const statement = tag === "E" ? bound || (texts.get("") ?? "") : tag === "Q" ? textAt(body, 0) : undefined;
      const cut = statement === undefined ? undefined : execute(statement);
      if (cut === "request") return cutBoth();
      if (cut === "answer") withheld = new Messages(false);
      upstream.write(message.bytes);
    }
  });
  upstream.on("data", (chunk) => {
    if (!withheld) client.write(chunk);
    // Ready for the next query: the statement and its transaction are over.
    else if (withheld.split(chunk).some(({ tag }) => tag === "Z")) cutBoth();
  });
}

interface Message {
  /** Empty for a startup message, which has none. */
  readonly tag: string;
  readonly body: Buffer;
  readonly bytes: Buffer;
}

/** Bytes to messages. A client's stream begins with one that has no tag. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);
  #untagged: boolean;

  constructor(startsUntagged: boolean) {
    this.#untagged = startsUntagged;
  }

  split(chunk: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const tagBytes = this.#untagged ? 0 : 1;
      if (this.#rest.length < tagBytes + 4) return messages;
      const length = tagBytes + this.#rest.readUInt32BE(tagBytes);
      if (this.#rest.length < length) return messages;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      messages.push({ tag: bytes.toString("latin1", 0, tagBytes), body: bytes.subarray(tagBytes + 4), bytes });
      this.#untagged = false;
    }
  }
}

/** The zero-terminated string number `index` at the start of a body. */
function textAt(body: Buffer, index: number): string {
  let from = 0;
  for (let i = 0; i < index; i++) from = body.indexOf(0, from) + 1;
  return body.toString("utf8", from, body.indexOf(0, from));
}
