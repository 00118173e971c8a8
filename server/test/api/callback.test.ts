import { type CallbackPromise, type ExecuteRequest, newId } from "@aikirun/protocol";
import { workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { startApp } from "./app.js";
import { call, start } from "./server.js";

const SOON = { timeout: 20_000 };
const BACKGROUND_MS = 20 * 60_000;
const later = workflow({ name: "later" }).v("1.0.0", { handler: async () => {} });

/** A run whose push is answered by the test: with 202, and with whatever the test makes of it. */
async function promised(change: (promise: CallbackPromise) => unknown = (promise) => promise, offers = true) {
  const aiki = await start("dev");
  const app = await startApp(`http://127.0.0.1:${aiki.server.port}`, [later]);
  if (offers) app.serve([later], { background: BACKGROUND_MS });
  const registered = await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  expect([registered.status, registered.json.backgroundMs]).toEqual([201, offers ? BACKGROUND_MS : undefined]);
  const pushes: ExecuteRequest[] = [];
  const id = newId("run");
  app.intercept((request) => {
    const claims = JSON.parse(
      Buffer.from(request.headers.get("authorization")?.split(".")[1] ?? "", "base64url").toString(),
    );
    void request
      .clone()
      .json()
      .then((push: ExecuteRequest) => pushes.push(push));
    const { sub: runId, jti: pushId, epoch, gen, seq } = claims;
    const promise = { runId, pushId, epoch, gen, seq, callback: true as const, deadlineMs: 60_000 };
    const headers = { "content-type": "application/json", "aiki-protocol": "1" };
    return new Response(JSON.stringify(change(promise)), { status: 202, headers });
  });
  const body = { id, workflow: "later", version: "1.0.0" };
  expect((await aiki.call("POST", "/v1/runs", { body })).status).toBe(201);
  await expect.poll(() => pushes.length, SOON).toBeGreaterThan(0);
  const push = pushes[0] as ExecuteRequest;
  const send = (method: "GET" | "POST", path: string, sent?: object, token = push.checkpoint?.token) =>
    call(aiki.server.port, method, `/v1/checkpoints${path}`, { key: token, ...(sent && { body: sent }) });
  const run = async () => (await aiki.call("GET", `/v1/runs/${id}`)).json;
  return { push, pushes, send, run, aiki, id };
}

const answerTo = ({ run, pushId, fence }: ExecuteRequest, over: object = {}) => ({
  type: "answer",
  answer: {
    runId: run.id,
    pushId,
    ...fence,
    state: "waiting",
    commands: [{ type: "run.completed", output: 7 }],
    ...over,
  },
});

describe("the answer to a push that was answered with 202", () => {
  it("is taken once, from whoever has the token of that push, which is good until the deadline", async () => {
    const { push, pushes, send, run } = await promised();
    const { checkpoint } = push;
    expect(checkpoint?.callbackMs).toBe(BACKGROUND_MS);
    const [, payload = ""] = checkpoint?.token.split(".") ?? [];
    const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString());
    expect(exp * 1_000 - Date.now()).toBeGreaterThan(BACKGROUND_MS);
    expect(exp * 1_000 - Date.now()).toBeLessThan(BACKGROUND_MS + 20_000);
    expect((await send("GET", "/wanted")).json).toEqual({ wanted: true });

    const other = await promised();
    for (const [body, token, status] of [
      [answerTo(push), "", 401],
      [answerTo(push), other.push.checkpoint?.token, 401],
      [answerTo(push, { pushId: newId("push") }), undefined, 401],
      [answerTo(push, { gen: push.fence.gen + 1 }), undefined, 401],
      [{ type: "answer", answer: {} }, undefined, 400],
      [{ ...answerTo(push), more: 1 }, undefined, 400],
    ] as const) {
      expect((await send("POST", "/answer", body, token ?? checkpoint?.token)).status).toBe(status);
    }
    expect((await send("GET", "/wanted", undefined, "")).status).toBe(401);
    expect(await run()).toMatchObject({ status: "running" });

    const taken = await expect
      .poll(async () => (await send("POST", "/answer", answerTo(push))).status, SOON)
      .toBe(200)
      .then(() => send("POST", "/answer", answerTo(push)));
    expect([taken.status, taken.json.error.code]).toEqual([409, "CHECKPOINT_STALE"]);
    expect(await run()).toMatchObject({ status: "completed", output: 7 });
    expect(pushes).toHaveLength(1);
  });

  it("may be an error, which the run shows", async () => {
    const { push, send, run } = await promised();
    const { run: pushed, pushId, fence } = push;
    const divergence = { leftover: ["task a"], asked: ["task b"] };
    const error = { code: "NON_DETERMINISM", message: "It no longer fits.", divergence };
    const body = { type: "error", push: { runId: pushed.id, pushId, epoch: fence.epoch, gen: fence.gen }, error };
    await expect.poll(async () => (await send("POST", "/answer", body)).status, SOON).toBe(200);
    await expect.poll(async () => (await run()).status, SOON).toBe("stalled");
    expect((await run()).trouble).toMatchObject({ code: "NON_DETERMINISM" });
  });

  it("is not wanted any more once the run was cancelled", async () => {
    const { push, send, aiki, id, run } = await promised();
    await expect.poll(async () => (await aiki.call("GET", "/metrics")).text, SOON).toMatch(/^aiki_runs_held 0$/m);
    await aiki.call("POST", `/v1/runs/${id}/cancel`, { body: {} });
    await expect.poll(async () => (await run()).status, SOON).toBe("cancelled");
    expect((await send("GET", "/wanted")).json).toEqual({ wanted: false });
    expect((await send("POST", "/answer", answerTo(push))).status).toBe(409);
  });
});

describe("a 202 that does not hold", () => {
  it.each([
    ["when the push did not offer it", (promise: CallbackPromise) => promise, false, /did not offer/],
    ["with a deadline beyond what was offered", over({ deadlineMs: BACKGROUND_MS + 1 }), true, /1200000 ms at most/],
    ["for another push", over({ pushId: newId("push") }), true, /for another push/],
    ["for another generation", over({ gen: 99 }), true, /for another fence/],
    ["without a promise", () => ({ ok: true }), true, /promises no callback/],
  ] as const)("%s is a bad answer, and the run is pushed again", async (_, change, offers, message) => {
    const { run, pushes } = await promised(change, offers);
    await expect.poll(() => pushes.length, SOON).toBeGreaterThan(2);
    expect(pushes[1]?.fence.gen).toBeGreaterThan(pushes[0]?.fence.gen ?? 0);
    await expect.poll(async () => (await run()).trouble, SOON).toMatchObject({ code: "BAD_ANSWER" });
    expect((await run()).trouble?.message).toMatch(message);
  });
});

function over(changes: Partial<CallbackPromise>) {
  return (promise: CallbackPromise) => ({ ...promise, ...changes });
}
