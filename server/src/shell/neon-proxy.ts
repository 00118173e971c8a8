/**
 * Speaks to one Postgres on this machine as Neon's servers do, for a Worker that runs here: a statement per HTTP request
 * to `/sql`, and a WebSocket to `/v1` that carries a connection's bytes.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import pg from "pg";
import { createWebSocketStream, WebSocketServer } from "ws";

export interface NeonProxy {
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

const MOST_BODY_BYTES = 64 * 1024 * 1024;
const CONNECTIONS = 20;

interface Asked {
  readonly query: string;
  readonly params?: unknown[];
}

/** Values as the server wrote them: the driver in the Worker parses. */
const raw = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;

export async function startNeonProxy(databaseUrl: string): Promise<NeonProxy> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS });
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const server = createServer((request, response) => void answer(pool, request, response));
  const sockets = new WebSocketServer({ server, path: "/v1" });
  const { hostname, port } = new URL(databaseUrl);
  sockets.on("connection", (socket) => {
    const carried = createWebSocketStream(socket);
    const database = connect({ host: hostname, port: Number(port || 5432) });
    carried.pipe(database).pipe(carried);
    carried.on("error", () => database.destroy());
    database.on("error", () => socket.terminate());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
      await pool.end();
    },
  };
}

async function answer(pool: pg.Pool, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { query, params = [] } = JSON.parse(await read(request)) as Asked;
    const result = await pool.query({ text: query, values: params, rowMode: "array", types: raw });
    const { command, rowCount, fields, rows } = result;
    send(response, 200, { command, rowCount, rows, rowAsArray: true, fields: fields.map(fieldOf) });
  } catch (error) {
    const { message, code, constraint, detail } = error as pg.DatabaseError;
    send(response, error instanceof pg.DatabaseError ? 400 : 503, { message, code, constraint, detail });
  }
}

function fieldOf({ name, dataTypeID }: pg.FieldDef): object {
  return { name, dataTypeID };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BODY_BYTES) throw new Error("The statement is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
