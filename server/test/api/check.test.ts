/** `POST /v1/endpoints/check` and `check` of a registration: new code is tried on the runs in flight. */
import type { CheckResult } from "@aikirun/protocol";
import { LIMITS, newId } from "@aikirun/protocol";
import { event, type ServableVersion, task, workflow } from "@aikirun/workflow";
import { expect, it } from "vitest";
import { type App, startApp } from "./app.js";
import { type Started, start } from "./server.js";

const executed: string[] = [];
const charge = task({ name: "charge-card", handler: async (cents: number) => void executed.push(`charge ${cents}`) });
const ship = task({ name: "ship", handler: async (to: string) => void executed.push(`ship ${to}`) });
const swell = task({ name: "swell", handler: async (n: number) => `${n}${"x".repeat(1_600_000)}` });
const events = { delivered: event() };

const checkout = workflow({ name: "checkout" });
const v1 = checkout.v("1.0.0", {
  async handler(run, cents: number) {
    await charge.start(run, cents);
    await run.events.delivered.wait();
    await ship.start(run, "Ada");
  },
  events,
});
/** The same version with other code: every call has another input. */
const changed = checkout.v("1.0.0", {
  async handler(run, cents: number) {
    await charge.start(run, cents + 1);
    await run.events.delivered.wait();
  },
  events,
});
/** A change that concerns expensive orders only. */
const changedForSome = checkout.v("1.0.0", {
  async handler(run, cents: number) {
    if (cents > 2) await ship.start(run, "insured");
    await charge.start(run, cents);
    await run.events.delivered.wait();
  },
  events,
});
const throwing = checkout.v("1.0.0", {
  async handler(_run, cents: number) {
    throw new TypeError(`${cents} has no lines`);
  },
  events,
});
const v2 = checkout.v("2.0.0", { handler: async (run, cents: number) => charge.start(run, cents) });
const large = workflow({ name: "large" }).v("1.0.0", {
  async handler(run) {
    for (let i = 0; i < 3; i++) await swell.start(run, i);
    await run.events.delivered.wait();
  },
  events,
});
/** Asks for less than is recorded, and for something else after it. */
const largeChanged = workflow({ name: "large" }).v("1.0.0", {
  async handler(run) {
    for (let i = 0; i < 2; i++) await swell.start(run, i);
    await ship.start(run, "Ada");
  },
  events,
});

const SOON = { timeout: 20_000 };

/** An orchestrator, an app that serves these versions, and runs of the first one that wait for `delivered`. */
async function inFlight(
  runs: number,
  served: readonly ServableVersion[] = [v1],
  settings: NonNullable<Parameters<typeof start>[1]>["settings"] = {},
) {
  const aiki = await start("dev", { settings });
  const app = await startApp(aiki.server.url, served);
  await aiki.call("POST", "/v1/endpoints", { body: { url: app.url, name: "shop" } });
  const [first] = served as [ServableVersion];
  const ids: string[] = [];
  for (let cents = 1; cents <= runs; cents++) {
    const body = { id: newId("run"), workflow: first.name, version: first.versionId, input: cents };
    expect((await aiki.call("POST", "/v1/runs", { body })).status).toBe(201);
    ids.push(body.id);
  }
  await expect.poll(async () => (await waiting(aiki)).length, SOON).toBe(runs);
  executed.length = 0;
  return { aiki, app, ids };
}

const waiting = async ({ call }: Started) => (await call("GET", "/v1/runs?status=suspended")).json.runs;

async function check({ call }: Started, app: App, more: object = {}): Promise<CheckResult> {
  const { status, json } = await call("POST", "/v1/endpoints/check", { body: { url: app.url, name: "shop", ...more } });
  expect([status, json]).toEqual([200, expect.anything()]);
  return json as unknown as CheckResult;
}

/** Who a push is for: the subject of its token. */
function subjectOf(request: Request): string {
  const token = request.headers.get("authorization")?.split(".")[1] ?? "";
  return JSON.parse(Buffer.from(token, "base64url").toString()).sub;
}

it("fits unchanged code, runs nothing and changes nothing", async () => {
  const { aiki, app, ids } = await inFlight(3);
  const before = (await aiki.call("GET", `/v1/runs/${ids[0]}`)).json;
  expect(await check(aiki, app)).toEqual({
    url: app.url,
    sdk: expect.stringContaining("@aikirun/endpoint"),
    ok: true,
    versions: [{ name: "checkout", version: "1.0.0", live: 3, checked: 3 }],
    findings: [],
    elapsedMs: expect.any(Number),
  });
  expect((await aiki.call("GET", `/v1/runs/${ids[0]}`)).json).toEqual(before);
  expect(executed).toEqual([]);
});

it("counts runs that diverge at the same call together, whatever their inputs", async () => {
  const { aiki, ids } = await inFlight(5);
  const all = await check(aiki, await startApp(aiki.server.url, [changed]));
  expect(all).toMatchObject({ ok: false, versions: [{ live: 5, checked: 5 }] });
  expect(all.findings).toEqual([
    {
      outcome: "diverges",
      workflow: "checkout",
      version: "1.0.0",
      runs: 5,
      example: expect.stringMatching(/^run_/),
      divergence: {
        leftover: [expect.stringMatching(/^task charge-card #1 /), "event delivered #1"],
        asked: [expect.stringMatching(/^task charge-card [2-6]$/)],
      },
      message: expect.stringMatching(
        /^5 of 5 runs of checkout@1\.0\.0 would diverge\. Recorded but not asked for: task charge-card #1 .*, event delivered #1\. Asked for instead: task charge-card \d\. For example run_\w{26}\.$/,
      ),
    },
  ]);
  const some = await check(aiki, await startApp(aiki.server.url, [changedForSome]));
  expect(some.findings).toMatchObject([
    { outcome: "diverges", runs: 3, divergence: { asked: ['task ship "insured"'] } },
  ]);
  expect(ids).toContain(some.findings[0]?.example);
  expect(executed).toEqual([]);
});

it("tells runs that the code would fail", async () => {
  const { aiki } = await inFlight(2);
  const { ok, findings } = await check(aiki, await startApp(aiki.server.url, [throwing]));
  expect([ok, findings.length]).toEqual([false, 1]);
  expect(findings[0]).toMatchObject({
    outcome: "fails",
    runs: 2,
    reason: expect.stringMatching(/^TypeError: \d has no lines\.$/),
  });
  expect(findings[0]?.message).toMatch(
    /^2 of 2 runs of checkout@1\.0\.0 would fail before the code asks for all that is recorded: TypeError: /,
  );
});

it("tells runs that nobody would serve, but only those of the endpoint that it replaces", async () => {
  const { aiki } = await inFlight(2);
  const next = await startApp(aiki.server.url, [v2]);
  expect(await check(aiki, next)).toMatchObject({
    ok: false,
    versions: [{ name: "checkout", version: "2.0.0", live: 0, checked: 0 }],
    findings: [
      {
        outcome: "unserved",
        runs: 2,
        message:
          "2 runs of checkout@1.0.0 would have nobody to serve them: shop serves checkout@1.0.0 today, and this code does not list it.",
      },
    ],
  });
  expect(await check(aiki, next, { name: "another app" })).toMatchObject({ ok: true, findings: [] });
});

it("is asked for by a registration, which refuses then and stores nothing", async () => {
  const { aiki } = await inFlight(2);
  const next = await startApp(aiki.server.url, [changed, v2]);
  const body = { url: next.url, name: "shop", check: true };
  const refused = await aiki.call("POST", "/v1/endpoints", { body });
  expect([refused.status, refused.json.error.code]).toEqual([409, "WOULD_DIVERGE"]);
  expect(refused.json.error.message).toMatch(
    /^2 of 2 runs of checkout@1\.0\.0 would diverge\. .* Nothing was registered\. Serve the change as a new version, or register without the check\.$/,
  );
  expect(refused.json.error.details).toMatchObject({
    check: { ok: false, findings: [{ outcome: "diverges", runs: 2 }] },
  });
  expect((await aiki.call("GET", "/v1/endpoints")).json.endpoints).toMatchObject([
    { name: "shop", workflows: [{ version: "1.0.0" }] },
  ]);
  expect((await aiki.call("POST", "/v1/endpoints", { body: { ...body, check: false } })).status).toBe(200);
  next.serve([v1, v2]);
  expect((await aiki.call("POST", "/v1/endpoints", { body })).status).toBe(200);
});

it("has the new code read a history that is too large to be sent", async () => {
  const { aiki, app } = await inFlight(2, [large]);
  expect(await check(aiki, app)).toMatchObject({
    ok: true,
    versions: [{ name: "large", version: "1.0.0", live: 2, checked: 2 }],
    findings: [],
  });
  const next = await startApp(aiki.server.url, [largeChanged]);
  const { ok, findings } = await check(aiki, next);
  expect([ok, findings]).toMatchObject([false, [{ outcome: "diverges", runs: 2 }]]);
  expect(findings[0]?.divergence?.leftover).toContainEqual(expect.stringMatching(/^task swell/));
  expect(await waiting(aiki)).toHaveLength(2);
  expect(executed).toEqual([]);
});

it("says which runs are too large to be sent where nothing can be read, and lets the others decide", async () => {
  const { aiki, app } = await inFlight(2, [large], { AIKI_CHECKPOINTS: "off" });
  const { ok, versions, findings } = await check(aiki, app);
  expect(versions).toEqual([{ name: "large", version: "1.0.0", live: 2, checked: 0 }]);
  expect(findings).toMatchObject([{ outcome: "too_large", runs: 2 }]);
  expect(findings[0]?.message).toMatch(
    /^2 of 2 runs of large@1\.0\.0 were not checked: input and history exceed the 4,194,304 bytes of one push, and without AIKI_PUBLIC_URL/,
  );
  expect(ok).toBe(true);
});

it("does not take a replay without a verdict for a fit", async () => {
  const { aiki, app, ids } = await inFlight(3);
  const html = { "content-type": "text/html" };
  const own = { "aiki-protocol": "1" };
  const cases: [() => Response, string][] = [
    [() => new Response("<html>", { status: 500, headers: html }), "ENDPOINT_ERROR"],
    [() => new Response("<html>", { status: 401, headers: html }), "PROTECTED_BY_HOST"],
    [() => Response.json({ fits: "perhaps" }, { headers: own }), "BAD_ANSWER"],
    [
      () => Response.json({ error: { code: "OUT_OF_TIME", message: "Slow." } }, { status: 422, headers: own }),
      "OUT_OF_TIME",
    ],
  ];
  for (const [respond, code] of cases) {
    app.intercept((request) => (subjectOf(request) === ids[1] ? respond() : undefined));
    const { ok, versions, findings } = await check(aiki, app);
    expect([ok, versions[0]?.checked]).toEqual([false, 2]);
    expect(findings).toMatchObject([{ outcome: "unanswered", runs: 1, example: ids[1] }]);
    expect(findings[0]?.message).toContain(`1 of 3 runs of checkout@1.0.0 could not be checked: ${code} `);
  }
});

it("asks again when the endpoint is busy", async () => {
  const { aiki, app } = await inFlight(2);
  const seen = new Set<string>();
  app.intercept((request) => {
    const subject = subjectOf(request);
    if (!subject.startsWith("run_") || seen.has(subject)) return undefined;
    seen.add(subject);
    return new Response("", { status: 429, headers: { "retry-after": "0" } });
  });
  expect(await check(aiki, app)).toMatchObject({ ok: true, versions: [{ checked: 2 }] });
  expect(seen.size).toBe(2);
});

it("takes as many runs as it is told, and none that nothing is recorded of", async () => {
  const { aiki, app } = await inFlight(6);
  const later = {
    id: newId("run"),
    workflow: "checkout",
    version: "1.0.0",
    trigger: { type: "delayed", delayMs: 60_000 },
  };
  expect((await aiki.call("POST", "/v1/runs", { body: later })).status).toBe(201);
  const before = app.requests;
  expect((await check(aiki, app, { sample: 4 })).versions).toEqual([
    { name: "checkout", version: "1.0.0", live: 7, checked: 4 },
  ]);
  // And the describe.
  expect(app.requests - before).toBe(5);
  expect((await check(aiki, app)).versions).toMatchObject([{ live: 7, checked: 6 }]);
});

it("goes where pushes may go, to what answers as an endpoint, and is bounded as registrations are", async () => {
  const aiki = await start("dev", { settings: { AIKI_REGISTRATIONS_PER_MINUTE: 4 } });
  const codeOf = async (body: object) => {
    const { status, json } = await aiki.call("POST", "/v1/endpoints/check", { body });
    return [status, json.error?.code];
  };
  expect(await codeOf({ url: "http://10.0.0.1/api/aiki" })).toEqual([422, "BLOCKED_ADDRESS"]);
  expect(await codeOf({ url: "http://127.0.0.1:1/api/aiki" })).toEqual([422, "CONNECTION_REFUSED"]);
  expect(await codeOf({ url: `${aiki.server.url}/nowhere` })).toEqual([422, "NOT_AN_ENDPOINT"]);
  expect(await codeOf({ url: "http://user:password@localhost/" })).toEqual([400, "INVALID_URL"]);
  expect(await codeOf({ url: "http://127.0.0.1:1/" })).toEqual([429, "OVERLOADED"]);
  for (const sample of [0, LIMITS.checkedRuns + 1, 1.5, "all"]) {
    expect(await codeOf({ url: "http://127.0.0.1:1/", sample })).toEqual([400, "INVALID_REQUEST"]);
  }
  expect(await codeOf({ url: "http://127.0.0.1:1/", takeOver: true })).toEqual([400, "INVALID_REQUEST"]);
});

it("lets four checks of one process go on at once", async () => {
  const { aiki, app, ids } = await inFlight(1);
  let held = 0;
  app.intercept((request) => {
    if (subjectOf(request) !== ids[0]) return undefined;
    held++;
    return new Response("", { status: 503 });
  });
  const four = Array.from({ length: 4 }, () => check(aiki, app));
  await expect.poll(() => held, SOON).toBeGreaterThanOrEqual(4);
  const fifth = await aiki.call("POST", "/v1/endpoints/check", { body: { url: app.url } });
  expect([fifth.status, fifth.json.error.code]).toEqual([429, "OVERLOADED"]);
  app.intercept();
  for (const result of await Promise.all(four)) expect(result).toMatchObject({ ok: true });
});
