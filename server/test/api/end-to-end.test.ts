import { newId } from "@aikirun/protocol";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { startApp } from "./app.js";
import { databases } from "./databases.js";
import { type Started, start } from "./server.js";

const greet = task({ name: "greet", handler: async (input: { name: string }) => `Hello, ${input.name}` });
const hello = workflow({ name: "hello" });
const helloV1 = hello.v("1.0.0", {
  async handler(run, input: { name: string }) {
    const greeting = await greet.start(run, input);
    await run.sleep("short", 20);
    const answer = await run.events.signed.wait();
    return { greeting, by: answer.data.by };
  },
  events: { signed: event<{ by: string }>() },
});
const helloV2 = hello.v("2.0.0", { handler: async (run, input: { name: string }) => greet.start(run, input) });

/** Polls end when it is so; the time only bounds how long a failure takes. */
const SOON = { timeout: 20_000 };

const startRun = async ({ call }: Started, version: string) => {
  const id = newId("run");
  expect(
    (await call("POST", "/v1/runs", { body: { id, workflow: "hello", version, input: { name: "Ada" } } })).status,
  ).toBe(201);
  return id;
};
const ended = async ({ call }: Started, id: string) => (await call("GET", `/v1/runs/${id}/wait?timeoutMs=20000`)).json;

describe.each(databases)("a run through a real endpoint, %s", (_where, database) => {
  it("is pushed, sleeps, receives an event and completes", async () => {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [helloV1]);
    const registered = await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
    expect(registered.status).toBe(201);
    expect(registered.json).toMatchObject({ status: "healthy", workflows: [{ name: "hello", version: "1.0.0" }] });
    const id = await startRun(aiki, "1.0.0");
    await aiki.call("POST", `/v1/runs/${id}/events`, { body: { name: "signed", data: { by: "Bob" } } });
    expect(await ended(aiki, id)).toMatchObject({
      ended: true,
      run: { status: "completed", output: { greeting: "Hello, Ada", by: "Bob" } },
    });
    const { records } = (await aiki.call("GET", `/v1/runs/${id}/history`)).json;
    expect(records.filter((one: { kind: string }) => one.kind === "task")).toHaveLength(1);
  });

  it("waits for its version, says so, and goes on when it is registered", async () => {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [helloV1]);
    await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
    const id = await startRun(aiki, "2.0.0");
    await expect
      .poll(async () => (await aiki.call("GET", `/v1/runs/${id}`)).json.trouble?.message, SOON)
      .toMatch(/Nobody serves hello@2\.0\.0\. Served: hello@1\.0\.0 \(http:\/\/127/);
    app.serve([helloV1, helloV2]);
    const { json } = await aiki.call("GET", "/v1/endpoints");
    const refreshed = await aiki.call("POST", `/v1/endpoints/${json.endpoints[0]?.id}/refresh`);
    expect(refreshed.json.workflows).toHaveLength(2);
    expect(await ended(aiki, id)).toMatchObject({ run: { status: "completed", output: "Hello, Ada" } });
  });

  it("learns by itself that the code changed, from the next answer", async () => {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [helloV2]);
    await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
    app.serve([helloV1, helloV2]);
    await ended(aiki, await startRun(aiki, "2.0.0"));
    await expect.poll(async () => (await aiki.call("GET", "/v1/workflows")).json.workflows.length, SOON).toBe(2);
  });

  it("survives an endpoint that refuses, and shows why meanwhile", async () => {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [helloV2]);
    const { id: endpointId } = (await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } })).json;
    app.intercept(() => new Response("<html>", { status: 401, headers: { "content-type": "text/html" } }));
    const id = await startRun(aiki, "2.0.0");
    await expect
      .poll(async () => (await aiki.call("GET", `/v1/runs/${id}`)).json.trouble?.code, SOON)
      .toBe("PROTECTED_BY_HOST");
    const endpoint = async () => (await aiki.call("GET", `/v1/endpoints/${endpointId}`)).json;
    await expect.poll(async () => (await endpoint()).status, SOON).toBe("unhealthy");
    expect((await endpoint()).trouble?.code).toBe("PROTECTED_BY_HOST");
    app.intercept();
    expect(await ended(aiki, id)).toMatchObject({ run: { status: "completed" } });
    await expect.poll(async () => (await endpoint()).status, SOON).toBe("healthy");
  });

  it("stays healthy when only one push is refused", async () => {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [helloV2]);
    const { id: endpointId } = (await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } })).json;
    let refused = 0;
    app.intercept(() => (refused++ === 0 ? new Response("", { status: 403 }) : undefined));
    expect(await ended(aiki, await startRun(aiki, "2.0.0"))).toMatchObject({ run: { status: "completed" } });
    expect((await aiki.call("GET", `/v1/endpoints/${endpointId}`)).json.status).toBe("healthy");
  });

  it("works with a rotated key, before and after it signs", async () => {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [helloV2]);
    await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
    for (const count of [2, 2]) {
      expect((await aiki.call("POST", "/v1/signing-keys/rotate", { body: { force: true } })).json.keys).toHaveLength(
        count,
      );
      expect((await aiki.call("GET", "/.well-known/jwks.json")).json.keys).toHaveLength(count);
      expect(await ended(aiki, await startRun(aiki, "2.0.0"))).toMatchObject({ run: { status: "completed" } });
    }
  });

  it("is shared by two orchestrators, which learn from each other who serves what and what has ended", async () => {
    const options = await database();
    const [one, other] = [await start("dev", options), await start("dev", options)];
    const app = await startApp(one.server.url, [helloV2]);
    await one.call("POST", "/v1/endpoints", { body: { url: app.url } });
    const atOther = await startRun(other, "2.0.0");
    expect(await ended(other, atOther)).toMatchObject({ run: { status: "completed" } });
    expect(await ended(one, await startRun(other, "2.0.0"))).toMatchObject({ run: { status: "completed" } });
    const jwks = async (aiki: Started) => (await aiki.call("GET", "/.well-known/jwks.json")).json;
    expect(await jwks(one)).toEqual(await jwks(other));
  });

  it("gives its leases back when the server stops", async () => {
    const options = await database();
    const aiki = await start("dev", options);
    const app = await startApp(aiki.server.url, [helloV2]);
    await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
    const ids = await Promise.all(Array.from({ length: 20 }, () => startRun(aiki, "2.0.0")));
    await aiki.server.close();
    // Whoever comes next finds them done or due at once, not after a lease of half a minute.
    const next = await start("dev", options);
    const moved = await startApp(next.server.url, [helloV2]);
    expect((await next.call("POST", "/v1/endpoints", { body: { url: moved.url, takeOver: true } })).status).toBe(201);
    const outcomes = await Promise.all(ids.map((id) => ended(next, id)));
    expect(outcomes.every((one) => one.run.status === "completed")).toBe(true);
  });
});
