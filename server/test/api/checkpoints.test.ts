import { type CheckpointBody, type ExecuteRequest, entryKey, LIMITS, newId } from "@aikirun/protocol";
import { task, workflow } from "@aikirun/workflow";
import { describe, expect, it, onTestFinished } from "vitest";
import { CheckpointTokens, type PushedPlace } from "../../src/dispatch/checkpoint-token.js";
import { LOOPBACK_CIDRS } from "../../src/egress/address.js";
import type { Settings } from "../../src/shell/env.js";
import { nodeMac } from "../../src/shell/node-mac.js";
import { type App, startApp } from "./app.js";
import { ADMIN_KEY, call, SECRET, type Started, start } from "./server.js";

const SOON = { timeout: 20_000 };
const PURPOSE = "aiki checkpoint tokens";

interface UnderWay {
  readonly aiki: Started;
  readonly app: App;
  readonly push: ExecuteRequest;
  /** The push's own JWT. */
  readonly jwt: string;
  readonly release: () => void;
}

/** A run whose push is under way: its only task waits. */
async function underWay(mode: "dev" | "start" = "dev", settings: Partial<Settings> = {}): Promise<UnderWay> {
  const aiki = await start(mode, { settings });
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const wait = task({ name: "wait", handler: () => released });
  const held = workflow({ name: "held" }).v("1.0.0", { handler: (run) => wait.start(run) });
  const app = await startApp(`http://127.0.0.1:${aiki.server.port}`, [held]);
  onTestFinished(release);
  const pushes: Promise<{ push: ExecuteRequest; jwt: string }>[] = [];
  app.intercept((request) => {
    const jwt = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
    pushes.push(
      request
        .clone()
        .json()
        .then((push: ExecuteRequest) => ({ push, jwt })),
    );
    return undefined;
  });
  const registered = await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  expect(registered.status).toBe(201);
  pushes.length = 0;
  const body = { id: newId("run"), workflow: "held", version: "1.0.0" };
  expect((await aiki.call("POST", "/v1/runs", { body })).status).toBe(201);
  await expect.poll(() => pushes.length, SOON).toBe(1);
  const [pushed] = await Promise.all(pushes);
  if (!pushed) throw new Error("no push");
  return { aiki, app, ...pushed, release };
}

const doneTask = (output: unknown = "done") => ({
  type: "task.completed" as const,
  key: entryKey("task", "by-hand:00", 0),
  taskAttempt: 1,
  output,
});
const bodyOf = ({ push: { run, pushId, fence } }: UnderWay, over: object = {}) => ({
  runId: run.id,
  pushId,
  ...fence,
  commands: [doneTask()],
  ...over,
});

function post({ aiki, push }: UnderWay, body: object | string, token: string | undefined = push.checkpoint?.token) {
  const raw = typeof body === "string" ? body : JSON.stringify(body);
  return call(aiki.server.port, "POST", "/v1/checkpoints", { key: token, raw });
}

const stored = async ({ aiki, push }: UnderWay) => {
  const { json: run } = await aiki.call("GET", `/v1/runs/${push.run.id}`);
  const { json: history } = await aiki.call("GET", `/v1/runs/${push.run.id}/history`);
  return { run, records: history.records };
};

/** Tokens as the server makes them, for whatever a test says. */
function tokens(
  of: UnderWay,
  { secret = SECRET, purpose = PURPOSE, issuer = of.aiki.server.url, now = Date.now } = {},
) {
  const { run, pushId, fence } = of.push;
  const maker = new CheckpointTokens({ mac: nodeMac(secret, purpose), issuer: () => issuer, now });
  return (over: Partial<PushedPlace> = {}) =>
    maker.access({ ns: "default", runId: run.id, pushId, fence, ...over }, 60_000).token;
}

describe("a checkpoint", () => {
  it("is recorded under the fence of its push, and tells what else has come", async () => {
    const of = await underWay();
    const { id } = of.push.run;
    const wait = { type: "event.wait" as const, key: entryKey("event", "word", 0) };
    await of.aiki.call("POST", `/v1/runs/${id}/events`, { body: { name: "word", data: 7 } });
    const first = await post(of, bodyOf(of, { commands: [doneTask(), wait] }));
    expect(first.status).toBe(200);
    const { seq } = of.push.fence;
    const answer = JSON.parse(first.text);
    expect(answer.seq).toBeGreaterThan(seq);
    expect(answer.records).toMatchObject([
      { n: 2, kind: "event", value: { state: "waiting" } },
      { n: 3, kind: "event", value: { state: "received", data: 7 } },
    ]);
    // The same again is an answer that was lost; what the first has recorded stands.
    const again = await post(of, bodyOf(of, { commands: [doneTask("another value"), wait] }));
    expect([again.status, again.json.error.code]).toEqual([409, "CHECKPOINT_STALE"]);
    const { records } = await stored(of);
    expect(records).toHaveLength(3);
    expect(records[0]).toMatchObject({ kind: "task", value: { output: "done" } });
  });

  it("takes outputs as deep as any payload may be", async () => {
    const of = await underWay();
    let deep: unknown = "end";
    for (let i = 0; i < LIMITS.jsonDepth; i++) deep = [deep];
    expect((await post(of, bodyOf(of, { commands: [doneTask(deep)] }))).status).toBe(200);
  });

  it("is refused without the very token of its push", async () => {
    const of = await underWay();
    const before = await stored(of);
    const { checkpoint } = of.push;
    const good = checkpoint?.token ?? "";
    expect(checkpoint?.url).toBe(`${of.aiki.server.url}/v1/checkpoints`);
    const make = tokens(of);
    // Otherwise what is made below would be refused for another reason.
    expect(JSON.parse(Buffer.from(make().split(".")[1] ?? "", "base64url").toString())).toMatchObject({
      ...JSON.parse(Buffer.from(good.split(".")[1] ?? "", "base64url").toString()),
      exp: expect.any(Number),
    });
    const [header, payload, signature] = good.split(".") as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const { epoch, gen } = of.push.fence;
    const strangers: Record<string, string> = {
      "an empty one": "",
      nonsense: "nonsense",
      "an API key": ADMIN_KEY,
      "the push's own token": of.jwt,
      "no signature": `${header}.${payload}.`,
      "another signature": `${header}.${payload}.${signature.slice(0, -1)}${signature.endsWith("A") ? "B" : "A"}`,
      "a later end": `${header}.${b64({ ...claims, exp: claims.exp + 1 })}.${signature}`,
      "no algorithm": `${b64({ alg: "none", typ: "aiki-checkpoint+jwt" })}.${payload}.`,
      "one more part": `${good}.${signature}`,
      expired: tokens(of, { now: () => Date.now() - 60_000 - 61_000 })(),
      "another run's": make({ runId: newId("run") }),
      "another push's": make({ pushId: newId("push") }),
      "another generation's": make({ fence: { epoch, gen: gen + 1 } }),
      "another epoch's": make({ fence: { epoch: epoch + 1, gen } }),
      "another secret's": tokens(of, { secret: new Uint8Array(32).fill(8) })(),
      "another purpose's": tokens(of, { purpose: "aiki something else" })(),
      "another orchestrator's": tokens(of, { issuer: "https://aiki.example" })(),
    };
    for (const [whose, token] of Object.entries(strangers)) {
      const answer = await post(of, bodyOf(of), token);
      expect([whose, answer.status, answer.json.error.code]).toEqual([whose, 401, "UNAUTHORIZED"]);
      expect(answer.headers["www-authenticate"]).toContain("Bearer");
    }
    const without = await call(of.aiki.server.port, "POST", "/v1/checkpoints", { raw: JSON.stringify(bodyOf(of)) });
    expect(without.status).toBe(401);
    // Before anything of a body is looked at.
    expect((await post(of, "{".repeat(1_000), "nonsense")).status).toBe(401);
    expect(await stored(of)).toEqual(before);
    expect((await post(of, bodyOf(of))).status).toBe(200);
  });

  it("is stale with a good token for what the run does not wait for", async () => {
    const of = await underWay();
    const before = await stored(of);
    const make = tokens(of);
    const { epoch, gen, seq } = of.push.fence;
    const other = { pushId: newId("push") };
    const cases: [string, object, string][] = [
      ["another push", bodyOf(of, other), make(other)],
      ["a later generation", bodyOf(of, { gen: gen + 1 }), make({ fence: { epoch, gen: gen + 1 } })],
      ["another epoch", bodyOf(of, { epoch: epoch + 1 }), make({ fence: { epoch: epoch + 1, gen } })],
      ["another namespace", bodyOf(of), make({ ns: "other" })],
      ["a sequence to come", bodyOf(of, { seq: seq + 1 }), make()],
      [
        "an unknown run",
        bodyOf(of, { runId: "run_01kaqsxkz00000000000000000" }),
        make({ runId: "run_01kaqsxkz00000000000000000" }),
      ],
    ];
    for (const [what, body, token] of cases) {
      const answer = await post(of, body, token);
      expect([what, answer.status, answer.json.error.code]).toEqual([what, 409, "CHECKPOINT_STALE"]);
    }
    expect(await stored(of)).toEqual(before);
    of.release();
    await expect.poll(async () => (await stored(of)).run.status, SOON).toBe("completed");
    const late = await post(of, bodyOf(of));
    expect([late.status, late.json.error.code]).toEqual([409, "CHECKPOINT_STALE"]);
    expect((await stored(of)).records).toHaveLength(2);
  });

  it("is refused when it holds too much, ends the run, or says nothing new", async () => {
    const of = await underWay();
    const before = await stored(of);
    const big = (bytes: number) => "x".repeat(bytes);
    const deep = `${"[".repeat(LIMITS.jsonDepth + 4)}${"]".repeat(LIMITS.jsonDepth + 4)}`;
    const withOutput = JSON.stringify(bodyOf(of, { commands: [doneTask("OUTPUT")] })).replace('"OUTPUT"', deep);
    const cases: [string, object | string, number, string][] = [
      ["no commands", bodyOf(of, { commands: [] }), 400, "INVALID_REQUEST"],
      ["a field too many", bodyOf(of, { state: "more" }), 400, "INVALID_REQUEST"],
      ["no JSON", "{", 400, "INVALID_REQUEST"],
      ["too deep", withOutput, 400, "JSON_TOO_DEEP"],
      ["too long", bodyOf(of, { commands: [doneTask(big(LIMITS.bodyBytes))] }), 413, "BODY_TOO_LARGE"],
      ["an output too long", bodyOf(of, { commands: [doneTask(big(LIMITS.payloadBytes))] }), 413, "PAYLOAD_TOO_LARGE"],
      ["the end", bodyOf(of, { commands: [doneTask(), { type: "run.completed" }] }), 400, "INVALID_REQUEST"],
      [
        "a failure",
        bodyOf(of, { commands: [{ type: "run.failed", error: { name: "Error", message: "no" } }] }),
        400,
        "INVALID_REQUEST",
      ],
      [
        "a wait for what was not started",
        bodyOf(of, {
          commands: [
            {
              type: "child.wait",
              key: entryKey("wait", "child:leaf:1#0/completed", 0),
              child: entryKey("child", "leaf:1", 0),
              status: "completed",
            },
          ],
        }),
        400,
        "INVALID_REQUEST",
      ],
    ];
    for (const [what, body, status, code] of cases) {
      const answer = await post(of, body);
      expect([what, answer.status, answer.json.error.code]).toEqual([what, status, code]);
    }
    expect(await stored(of)).toEqual(before);
    const twice = (body: CheckpointBody) => post(of, body);
    const first = await twice(bodyOf(of) as CheckpointBody);
    const { seq } = JSON.parse(first.text);
    const nothingNew = await twice(bodyOf(of, { seq }) as CheckpointBody);
    expect([first.status, nothingNew.status]).toEqual([200, 400]);
    expect((await stored(of)).records).toHaveLength(1);
  });

  it("token opens no endpoint", async () => {
    const of = await underWay();
    const headers = { authorization: `Bearer ${of.push.checkpoint?.token}`, "aiki-protocol": "1" };
    const body = JSON.stringify(of.push);
    const requests = of.app.requests;
    const answer = await fetch(of.app.url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/vnd.aiki.v1+json" },
      body,
    });
    expect([answer.status, of.app.requests]).toEqual([401, requests + 1]);
    expect(JSON.parse(await answer.text()).error.code).toBe("UNAUTHENTICATED_PUSH");
  });
});

describe("checkpoints are offered", () => {
  const EGRESS = { AIKI_EGRESS_ALLOW: LOOPBACK_CIDRS };
  it.each([
    ["by aiki dev", "dev", {}, true, true],
    ["not when they are switched off", "dev", { AIKI_CHECKPOINTS: "off" as const }, false, false],
    ["by aiki start with a public URL", "start", { ...EGRESS, AIKI_PUBLIC_URL: "https://aiki.example" }, true, true],
    ["not by aiki start without one, and yet taken: workers need none", "start", EGRESS, false, true],
    [
      "not by aiki start when they are switched off",
      "start",
      { ...EGRESS, AIKI_PUBLIC_URL: "https://aiki.example", AIKI_CHECKPOINTS: "off" as const },
      false,
      false,
    ],
  ] as const)("%s", async (_how, mode, settings, offered, taken) => {
    const of = await underWay(mode, settings as Partial<Settings>);
    expect(of.push.checkpoint?.url).toBe(offered ? `${of.aiki.server.url}/v1/checkpoints` : undefined);
    if (offered) return;
    const answer = await post(of, bodyOf(of), tokens(of)());
    expect([answer.status, answer.json.error?.code]).toEqual(taken ? [200, undefined] : [401, "UNAUTHORIZED"]);
    expect((await stored(of)).records).toHaveLength(taken ? 1 : 0);
  });
});
