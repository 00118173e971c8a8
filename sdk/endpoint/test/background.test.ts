import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { CallbackBody, CallbackPromise, ExecuteAnswer, Manifest } from "@aikirun/protocol";
import { task, workflow } from "@aikirun/workflow";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type EndpointOptions, endpoint } from "../src/index.js";
import { describePush, executePush, type SigningKey, signedPush, signingKey } from "./orchestrator.js";
import { silent } from "./probes.js";

const APP_URL = "http://app.test/api/aiki";
const FENCE = { epoch: 1, gen: 3, seq: 7 };
const TOKEN = "the-token-of-this-push";
/** Tasks may work for half of it, and the endpoint waits for half of that before it answers 202. */
const BUDGET_MS = 1_000;
const SOON = { timeout: 5_000, interval: 10 };

let key: SigningKey;
beforeAll(async () => {
  key = await signingKey("Ed25519");
});

interface Reply {
  readonly status: number;
  readonly body?: object;
}
interface Brought {
  readonly token: string | undefined;
  readonly body: CallbackBody;
}

/** An orchestrator as far as a background invocation needs one. */
async function orchestrator(replies: { wanted?: () => Reply; brought?: (count: number) => Reply | "hang up" } = {}) {
  const brought: Brought[] = [];
  let looks = 0;
  const server = createServer(async (incoming, outgoing) => {
    const sent = await text(incoming);
    const reply = (): Reply | "hang up" => {
      if (incoming.url?.endsWith("/wanted")) {
        looks += 1;
        return replies.wanted?.() ?? { status: 200, body: { wanted: true } };
      }
      brought.push({ token: incoming.headers.authorization, body: JSON.parse(sent) as CallbackBody });
      return replies.brought?.(brought.length) ?? { status: 200, body: { taken: true } };
    };
    const given = reply();
    if (given === "hang up") return void outgoing.destroy();
    outgoing.writeHead(given.status, { "content-type": "application/json" }).end(JSON.stringify(given.body ?? {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1/checkpoints`, brought, looks: () => looks };
}

/** An app whose one task takes as long as the test wants. */
function app(options: EndpointOptions = {}, env: object = {}, context?: object) {
  const logged: string[] = [];
  const note = (fields: object | string) => void logged.push((fields as { code: string }).code);
  let finish = (_value: string): void => {};
  let aborted = 0;
  const slow = task({
    name: "slow",
    handler: (_input: undefined, { signal }) =>
      new Promise<string>((resolve, reject) => {
        finish = resolve;
        signal.addEventListener("abort", () => {
          aborted += 1;
          reject(signal.reason);
        });
      }),
  });
  const waits = workflow({ name: "waits" }).v("1", { handler: (run) => slow.start(run) });
  const handle = endpoint({
    workflows: [waits],
    publicKeys: key.text,
    logger: { ...silent, warn: note, error: note },
    background: { seconds: 20 },
    ...options,
  });
  const send = async (made: ReturnType<typeof executePush>, signal?: AbortSignal) => {
    const { headers, body } = await signedPush(key, APP_URL, made);
    const init = { method: "POST", headers: { ...headers, host: "app.test" }, body: body as string };
    return handle(new Request(APP_URL, { ...init, ...(signal && { signal }) }), env, context);
  };
  const push = async (url: string, over: object = {}, signal?: AbortSignal) => {
    const checkpoint = { url, token: TOKEN, callbackMs: 20_000 };
    const made = executePush(
      { fence: FENCE, budgetMs: BUDGET_MS, checkpoint, ...over },
      { workflow: "waits", version: "1" },
    );
    const startedAt = performance.now();
    const response = await send(made, signal);
    const json = (await response.json()) as ExecuteAnswer & CallbackPromise;
    return { status: response.status, headers: response.headers, json, made, tookMs: performance.now() - startedAt };
  };
  const manifest = async () => {
    const { manifest } = (await (await send(describePush() as never)).json()) as { manifest: Manifest };
    return manifest;
  };
  return { push, manifest, logged, finish: (value = "done") => finish(value), aborted: () => aborted };
}

const OUT_OF_TIME = [{ type: "task.failed", error: { code: "OUT_OF_TIME" } }];

describe("a push that takes long, where the user lets it go on in the background", () => {
  it("is answered with 202 before its time is up, and what came of it is brought later", async () => {
    const { url, brought, looks } = await orchestrator();
    const { push, finish, logged } = app();
    const { status, headers, json, made, tookMs } = await push(url);
    const { id } = made.run as { id: string };
    expect([status, headers.get("aiki-protocol"), looks()]).toEqual([202, "1", 1]);
    expect(headers.get("aiki-manifest")).toBeTruthy();
    const { deadlineMs, ...ids } = json;
    expect(ids).toEqual({ runId: id, pushId: made.pushId, epoch: 1, gen: 3, seq: 7, callback: true });
    expect(tookMs).toBeLessThan(BUDGET_MS / 2);
    expect(deadlineMs).toBeLessThanOrEqual(20_000 - BUDGET_MS / 4);
    expect(deadlineMs).toBeGreaterThan(18_000);
    // The time that its own budget would have left it is over.
    await new Promise((resolve) => setTimeout(resolve, BUDGET_MS));
    expect(brought).toEqual([]);
    finish();
    await expect.poll(() => brought.length, SOON).toBe(1);
    expect(brought[0]?.token).toBe(`Bearer ${TOKEN}`);
    expect(brought[0]?.body).toMatchObject({
      type: "answer",
      answer: {
        runId: id,
        pushId: made.pushId,
        ...FENCE,
        state: "waiting",
        commands: [
          { type: "task.completed", output: "done" },
          { type: "run.completed", output: "done" },
        ],
      },
    });
    expect(logged).toEqual([]);
  });

  it("is answered over its connection when it does not take long, and nobody is asked anything", async () => {
    const { url, looks } = await orchestrator();
    const { push, finish } = app();
    setTimeout(finish, 50);
    const { status, json } = await push(url);
    expect([status, json.state, looks()]).toEqual([200, "waiting", 0]);
  });

  it("stays with its connection when the push does not offer it, or the user does not want it", async () => {
    const { url, looks } = await orchestrator();
    const unoffered = await app().push(url, { checkpoint: { url, token: TOKEN } });
    const unwanted = await app({ background: undefined } as never).push(url);
    const without = await app().push(url, { checkpoint: undefined });
    for (const { status, json } of [unoffered, unwanted, without]) {
      expect([status, json.commands?.[0]]).toMatchObject([200, OUT_OF_TIME[0]]);
    }
    expect(looks()).toBe(0);
  });

  it("stays with its connection when the answer could perhaps not be brought", async () => {
    const { url } = await orchestrator({ wanted: () => ({ status: 404 }) });
    const foreign = app();
    expect([(await foreign.push(url)).json.commands?.[0], foreign.logged]).toMatchObject([
      OUT_OF_TIME[0],
      ["ORCHESTRATOR_UNREACHABLE"],
    ]);
    const away = app();
    expect((await away.push("http://127.0.0.1:9/v1/checkpoints")).json.commands).toMatchObject(OUT_OF_TIME);
    expect(away.logged).toEqual(["ORCHESTRATOR_UNREACHABLE"]);
  });

  it("stops when the run does not wait for it any more, and brings nothing", async () => {
    let wanted = true;
    const { url, brought } = await orchestrator({ wanted: () => ({ status: 200, body: { wanted } }) });
    const { push, aborted } = app();
    expect((await push(url)).status).toBe(202);
    wanted = false;
    await expect.poll(aborted, SOON).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(brought).toEqual([]);
  });

  it("goes on when the caller, who has its 202, closes the connection, and ends when it closes it before", async () => {
    const { url, brought } = await orchestrator();
    const { push, finish, aborted } = app();
    const connection = new AbortController();
    expect((await push(url, {}, connection.signal)).status).toBe(202);
    connection.abort();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(aborted()).toBe(0);
    finish();
    await expect.poll(() => brought.length, SOON).toBe(1);

    const early = app();
    const closed = new AbortController();
    setTimeout(() => closed.abort(), 50);
    const { status, json } = await early.push(url, {}, closed.signal);
    expect([status, json.state, early.aborted()]).toEqual([200, "more", 1]);
  });

  it("aborts its tasks before the deadline, and brings OUT_OF_TIME in time", async () => {
    const { url, brought } = await orchestrator();
    const { push } = app({ background: { seconds: 2 } });
    const startedAt = performance.now();
    const { json } = await push(url);
    expect(json.deadlineMs).toBeLessThan(2_000);
    await expect.poll(() => brought.length, SOON).toBe(1);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(brought[0]?.body).toMatchObject({ answer: { commands: OUT_OF_TIME } });
  });

  it("has no longer than the push offers", async () => {
    const { url } = await orchestrator();
    const { push, finish } = app();
    const { json } = await push(url, { checkpoint: { url, token: TOKEN, callbackMs: 3_000 } });
    expect(json.deadlineMs).toBeLessThan(3_000);
    finish();
  });

  it("brings its answer again and again, until it is taken or stale", async () => {
    for (const last of [200, 409]) {
      const { url, brought } = await orchestrator({
        brought: (count) => (count === 1 ? "hang up" : { status: count === 2 ? 503 : last, body: {} }),
      });
      const { push, finish, logged } = app();
      await push(url);
      finish();
      await expect.poll(() => brought.length, SOON).toBe(3);
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect(brought).toHaveLength(3);
      expect(brought[2]).toEqual(brought[0]);
      expect(logged).toEqual([]);
    }
  });

  it("says what is wrong when its answer is refused, and gives up without its token", async () => {
    const error = { code: "PAYLOAD_TOO_LARGE", message: "an output is too large" };
    const told = { code: "BAD_ANSWER", message: `413 ${JSON.stringify({ error })}` };
    const { url, brought } = await orchestrator({
      brought: (count) => ({ status: count === 1 ? 413 : 401, body: { error } }),
    });
    const { push, finish, logged } = app();
    const { made } = await push(url);
    finish();
    await expect.poll(() => logged, SOON).toEqual(["ORCHESTRATOR_UNREACHABLE"]);
    const push_ = { runId: (made.run as { id: string }).id, pushId: made.pushId, epoch: 1, gen: 3 };
    expect(brought.map(({ body }) => body)).toMatchObject([
      { type: "answer" },
      { type: "error", push: push_, error: told },
    ]);
  });
});

describe("a host on which work ends with its request", () => {
  const SERVERLESS = { AWS_LAMBDA_FUNCTION_NAME: "app" };

  it("answers over the connection, says once that it needs a waitUntil, and does not state the capability", async () => {
    const { url } = await orchestrator();
    const { push, logged, manifest } = app({}, SERVERLESS);
    expect((await push(url)).json.commands).toMatchObject(OUT_OF_TIME);
    expect((await push(url)).json.commands).toMatchObject(OUT_OF_TIME);
    expect(logged).toEqual(["SETTING_INVALID"]);
    expect((await manifest()).capabilities).not.toHaveProperty("backgroundMs");
    expect((await app().manifest()).capabilities.backgroundMs).toBe(20_000);
  });

  it.each(["an option", "the runtime's context", "the platform of Next", "Vercel"])("goes on by %s", async (by) => {
    const { url, brought } = await orchestrator();
    const kept: Promise<unknown>[] = [];
    const waitUntil = (work: Promise<unknown>) => void kept.push(work);
    const symbol = Symbol.for(by === "Vercel" ? "@vercel/request-context" : "@next/request-context");
    const host = globalThis as { [key: symbol]: unknown };
    if (by.startsWith("the platform") || by === "Vercel") host[symbol] = { get: () => ({ waitUntil }) };
    onTestFinished(() => void delete host[symbol]);
    const context = by === "the runtime's context" ? { waitUntil } : undefined;
    const { push, finish, manifest, logged } = app(by === "an option" ? { waitUntil } : {}, SERVERLESS, context);
    expect((await push(url)).status).toBe(202);
    expect(kept).toHaveLength(1);
    finish();
    await kept[0];
    expect(brought).toHaveLength(1);
    expect((await manifest()).capabilities.backgroundMs).toBe(20_000);
    expect(logged).toEqual([]);
  });
});

describe("the options", () => {
  it("are checked where they are written", () => {
    const refused = (options: object) => () => app(options as never);
    expect(refused({ background: 999 })).toThrow(/background is 999 ms/);
    expect(refused({ background: { days: 1, milliseconds: 1 } })).toThrow(/a second to a day \(86400000 ms\)/);
    expect(refused({ background: { fortnights: 1 } })).toThrow(/unknown unit/);
    expect(refused({ waitUntil: true })).toThrow(/waitUntil must be a function/);
    expect(refused({ background: { hours: 24 } })).not.toThrow();
  });
});
