import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import type { CheckpointBody, ExecuteAnswer } from "@aikirun/protocol";
import { task, workflow } from "@aikirun/workflow";
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { endpoint } from "../src/index.js";
import { type Answer, executePush, type SigningKey, signedPush, signingKey } from "./orchestrator.js";
import { silent } from "./probes.js";

const APP_URL = "http://app.test/api/aiki";
const FENCE = { epoch: 1, gen: 3, seq: 7 };
const TOKEN = "the-token-of-this-push";

let key: SigningKey;
let ran: string[] = [];
let aborted: string[] = [];
beforeAll(async () => {
  key = await signingKey("Ed25519");
});
afterEach(() => void vi.unstubAllGlobals());

const step = task({
  name: "step",
  async handler(name: string, { signal }) {
    ran.push(name);
    signal.addEventListener("abort", () => aborted.push(name));
    if (name.startsWith("long")) await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
    return `did ${name}`;
  },
});
const steps = workflow({ name: "steps" }).v("1", {
  async handler(run, names: string[]) {
    for (const name of names) await step.start(run, name);
  },
});

type Respond = (body: CheckpointBody, outgoing: ServerResponse, incoming: IncomingMessage) => void;

/** Listens for checkpoints, in a test's own way. */
async function listener(respond: Respond) {
  const seen: (CheckpointBody & { readonly token: string | undefined; readonly socket: object })[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    void json(incoming).then((body) => {
      const checkpoint = body as CheckpointBody;
      seen.push({ ...checkpoint, token: incoming.headers.authorization, socket: incoming.socket });
      respond(checkpoint, outgoing, incoming);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/checkpoints`, seen, close };
}

const send = (outgoing: ServerResponse, status: number, body: unknown) =>
  void outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
const acknowledge: Respond = ({ seq }, outgoing) => send(outgoing, 200, { seq: seq + 1, records: [] });

/** An app whose checkpoints go by the way that is named, and what it logged. */
function served(way: "node:http" | "fetch") {
  ran = [];
  aborted = [];
  const logged: { readonly code?: string; readonly text: string }[] = [];
  const note = (fields: object | string, text?: string) =>
    void logged.push(typeof fields === "string" ? { text: fields } : { ...fields, text: text ?? "" });
  if (way === "fetch") vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
  const handle = endpoint({
    workflows: [steps],
    publicKeys: key.text,
    logger: { ...silent, warn: note, error: note },
  });
  vi.unstubAllGlobals();
  const push = async (url: string, names: string[], more: { budgetMs?: number; signal?: AbortSignal } = {}) => {
    const { signal, ...over } = more;
    const made = executePush(
      { fence: FENCE, checkpoint: { url, token: TOKEN }, ...over },
      { workflow: "steps", version: "1", input: names },
    );
    const { headers, body } = await signedPush(key, APP_URL, made);
    const request = new Request(APP_URL, {
      method: "POST",
      headers: { ...headers, host: "app.test" },
      body: body as string,
      ...(signal && { signal }),
    });
    const response = await handle(request);
    return { status: response.status, json: (await response.json()) as Answer & Partial<ExecuteAnswer>, made };
  };
  return { push, logged };
}

const outputs = ({ commands }: { readonly commands?: ExecuteAnswer["commands"] }) =>
  (commands ?? []).map((command) => (command.type === "task.completed" ? command.output : command.type));

describe.each(["node:http", "fetch"] as const)("checkpoints by %s", (way) => {
  it("carry the token, the fence and what was done, and the answer builds on the last", async () => {
    const { push, logged } = served(way);
    const { url, seen } = await listener(acknowledge);
    const { json, made } = await push(url, ["a", "b", "c"]);
    const run = made.run as { id: string };
    expect(seen).toMatchObject([
      { ...FENCE, runId: run.id, pushId: made.pushId, token: `Bearer ${TOKEN}`, seq: 7 },
      { ...FENCE, runId: run.id, pushId: made.pushId, token: `Bearer ${TOKEN}`, seq: 8 },
    ]);
    expect(seen.map(outputs)).toEqual([["did a"], ["did b"]]);
    expect(json).toMatchObject({ ...FENCE, seq: 9, state: "waiting", pushId: made.pushId });
    expect(outputs(json)).toEqual(["did c", "run.completed"]);
    expect(logged).toEqual([]);
  });

  it("refused as stale, or with `abandon`, stop the invocation without a word", async () => {
    for (const [status, body] of [
      [409, { error: { code: "CHECKPOINT_STALE", message: "stop" } }],
      [200, { seq: 7, records: [], stop: "abandon" }],
    ] as const) {
      const { push, logged } = served(way);
      const { url, seen } = await listener((_body, outgoing) => send(outgoing, status, body));
      const { json } = await push(url, ["a", "b"]);
      expect([json.state, json.seq, ran, seen.length, logged]).toEqual(["more", 7, ["a"], 1, []]);
    }
  });

  it("acknowledged with `answer` are the last", async () => {
    const { push } = served(way);
    const { url } = await listener(({ seq }, outgoing) =>
      send(outgoing, 200, { seq: seq + 1, records: [], stop: "answer" }),
    );
    const { json } = await push(url, ["a", "b"]);
    expect(json).toMatchObject({ state: "more", seq: 8, commands: [] });
    expect(ran).toEqual(["a"]);
  });

  it("not taken by an orchestrator that is there are answered instead, and the next push tries again", async () => {
    for (const status of [400, 413, 429, 500, 503]) {
      const { push, logged } = served(way);
      const { url, seen } = await listener((_body, outgoing) =>
        send(outgoing, status, { error: { code: "OVERLOADED", message: "not now" } }),
      );
      for (let count = 1; count <= 2; count++) {
        const { json } = await push(url, ["a", "b"]);
        expect([status, json.state, json.seq, outputs(json)]).toEqual([status, "more", 7, ["did a"]]);
        expect(seen).toHaveLength(count);
      }
      expect(logged).toEqual([]);
    }
  });

  it("that something else answers are told once, with what to set, and not tried again for a while", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const page: Respond = (_body, outgoing) =>
      void outgoing.writeHead(404, { "content-type": "text/html" }).end("<!doctype html><title>Not here</title>");
    const elsewhere: Respond = (_body, outgoing) => void outgoing.writeHead(307, { location: "/" }).end();
    const nonsense: Respond = (_body, outgoing) => send(outgoing, 200, { seq: "one" });
    for (const respond of [page, elsewhere, nonsense]) {
      const { push, logged } = served(way);
      const { url, seen } = await listener(respond);
      for (let i = 0; i < 3; i++) {
        const { json } = await push(url, ["a", "b"]);
        expect([json.state, json.seq, outputs(json)]).toEqual(["more", 7, ["did a"]]);
        vi.setSystemTime(Date.now() + 14_000);
      }
      expect(seen).toHaveLength(1);
      expect(logged).toMatchObject([
        { code: "ORCHESTRATOR_UNREACHABLE", text: expect.stringMatching(/AIKI_PUBLIC_URL.*reach/) },
      ]);
      expect(logged[0]?.text).not.toContain(TOKEN);
    }
  });

  it("to nobody are answered instead, and tried again ever more seldom until somebody is there", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const { push, logged } = served(way);
    const { url, seen, close } = await listener(acknowledge);
    close();
    const refused = async () => {
      for (let i = 0; i < 2; i++) expect((await push(url, ["a", "b"])).json).toMatchObject({ state: "more", seq: 7 });
    };
    const later = (ms: number) => vi.setSystemTime(Date.now() + ms);
    await refused();
    expect(logged).toHaveLength(1);
    later(1_001);
    await refused();
    expect(logged).toHaveLength(2);
    later(1_001);
    await refused();
    expect(logged).toHaveLength(2);
    for (let i = 0; i < 6; i++) {
      later(30_001);
      await refused();
    }
    expect([logged.length, seen.length]).toEqual([8, 0]);
  });

  it("answered with more than an answer may hold are given up in the middle", async () => {
    const { push, logged } = served(way);
    let written = 0;
    const { url } = await listener((_body, outgoing) => {
      outgoing.writeHead(200, { "content-type": "application/json" });
      const more = () => {
        written += 65_536;
        if (!outgoing.destroyed) outgoing.write(" ".repeat(65_536), () => setImmediate(more));
      };
      more();
    });
    const { json } = await push(url, ["a", "b"]);
    expect([json.state, outputs(json)]).toEqual(["more", ["did a"]]);
    expect(logged[0]?.text).toContain("longer than 4194304 bytes");
    expect(written).toBeLessThan(16 * 1024 * 1024);
  });

  it("that nobody answers take no longer than the invocation has, and the answer comes in time", async () => {
    const { push, logged } = served(way);
    const { url } = await listener(() => {});
    const startedAt = performance.now();
    const { json } = await push(url, ["a", "b"], { budgetMs: 3_000 });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect([json.state, json.seq, outputs(json)]).toEqual(["more", 7, ["did a"]]);
    expect(logged).toMatchObject([{ code: "ORCHESTRATOR_UNREACHABLE" }]);
  });

  it("end at once when the push's caller goes away, and what runs is aborted", async () => {
    const { push, logged } = served(way);
    const gone = new AbortController();
    const { url } = await listener(() => gone.abort());
    const forked = push(url, ["a", "b"], { signal: gone.signal });
    expect((await forked).json.state).toBe("more");
    expect([ran, logged]).toEqual([["a"], []]);

    const later = new AbortController();
    const { url: other } = await listener(acknowledge);
    const long = push(other, ["a", "long"], { signal: later.signal });
    await expect.poll(() => ran.includes("long")).toBe(true);
    later.abort();
    expect((await long).json.state).toBe("more");
    expect(aborted).toContain("long");
  });
});

describe("checkpoints by node:http", () => {
  it("keep their connection, and open another when it was closed meanwhile", async () => {
    const { push, logged } = served("node:http");
    const { url, seen } = await listener((body, outgoing, incoming) => {
      acknowledge(body, outgoing, incoming);
      // A proxy that closes what it takes for idle, without a word.
      if (body.seq === 9) outgoing.on("finish", () => setImmediate(() => incoming.socket.resetAndDestroy()));
    });
    const { json } = await push(url, ["a", "b", "c", "d", "e", "f"]);
    expect(json).toMatchObject({ state: "waiting", seq: 12 });
    const [first, second] = seen;
    expect(second?.socket).toBe(first?.socket);
    expect(logged).toEqual([]);
  });
});
