/** A real server on a free port, and a caller. */
import { request } from "node:http";
import type {
  ActivateScheduleResult,
  ApiError,
  ApiKey,
  CreatedKey,
  Endpoint,
  HistoryPage,
  MulticastResult,
  Run,
  RunPage,
  Schedule,
  SchedulePage,
  StartRunResult,
  TriggerScheduleResult,
  Trouble,
  WaitResult,
  WorkflowList,
} from "@aikirun/protocol";
import { onTestFinished } from "vitest";
import { SILENT } from "../../src/log.js";
import { type RunningServer, type ServerOptions, startServer } from "../../src/shell/node.js";
import { memoryStore } from "../../src/store/memory.js";

export const ADMIN_KEY = "an-admin-key-that-is-long-enough";
export const SECRET = new Uint8Array(32).fill(9);

export interface Started {
  readonly server: RunningServer;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  readonly key?: string | undefined;
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the routes answer, all in one: a test looks at the fields that its own route promises. */
export type AnswerBody = ApiError &
  Omit<Run & Endpoint & ApiKey, "status" | "workflows" | "name" | "trouble" | "schedule"> &
  Omit<Schedule, "status" | "workflow" | "started"> &
  Omit<SchedulePage, "next"> &
  ActivateScheduleResult &
  TriggerScheduleResult &
  Omit<WorkflowList & CreatedKey & HistoryPage, "next"> &
  RunPage &
  StartRunResult &
  WaitResult &
  MulticastResult & {
    readonly status: string;
    readonly name: string;
    readonly trouble?: Partial<Trouble>;
    readonly endpoints: readonly Endpoint[];
    readonly keys: readonly ApiKey[] & readonly PublicJwk[];
    readonly duplicate: boolean;
    readonly openapi: string;
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
type PublicJwk = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;

  readonly json: AnswerBody;
}

export async function start(mode: ServerOptions["mode"], more: Partial<ServerOptions> = {}): Promise<Started> {
  const store = more.store ?? (more.settings?.DATABASE_URL === undefined ? memoryStore() : undefined);
  const settings = {
    PORT: 0,
    AIKI_HOST: "127.0.0.1",
    AIKI_SECRET: SECRET,
    AIKI_STOP_GRACE_MS: 1_000,
    ...(mode === "start" && { AIKI_ADMIN_KEY: ADMIN_KEY }),
    ...more.settings,
  };
  const server = await startServer({ log: SILENT, ...more, mode, settings, ...(store && { store }) });
  onTestFinished(() => server.close());
  const key = mode === "start" ? ADMIN_KEY : undefined;
  return { server, call: (method, path, options = {}) => call(server.port, method, path, { key, ...options }) };
}

/** With node:http, which lets a test set `Host` and send what no client would. */
export function call(port: number, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        agent: false,
        headers: {
          ...(options.key !== undefined && { authorization: `Bearer ${options.key}` }),
          ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
          ...options.headers,
        },
      },
      (incoming) => {
        let text = "";
        incoming.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        incoming.on("end", () => {
          const json = text.startsWith("{") ? JSON.parse(text) : undefined;
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json });
        });
        incoming.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
