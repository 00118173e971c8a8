import { workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { readSettings } from "../../src/shell/env.js";
import { memoryStore } from "../../src/store/memory.js";
import { startApp } from "./app.js";
import { ADMIN_KEY, start } from "./server.js";

const v = (name: string, version: string) => workflow({ name }).v(version, { handler: async () => 1 });

describe("registration", () => {
  it("is idempotent by name, moves an endpoint, and takes its defaults again", async () => {
    const { call, server } = await start("dev");
    const first = await startApp(server.url, [v("a", "1")]);
    const second = await startApp(server.url, [v("a", "1"), v("a", "2")]);
    const body = { url: first.url, name: "shop", concurrency: 3, maxDurationMs: 5_000 };
    const created = await call("POST", "/v1/endpoints", { body });
    expect(created).toMatchObject({ status: 201, json: { name: "shop", concurrency: 3, maxDurationMs: 5_000 } });
    const moved = await call("POST", "/v1/endpoints", { body: { url: second.url, name: "shop" } });
    expect(moved).toMatchObject({ status: 200, json: { id: created.json.id, url: second.url, concurrency: 100 } });
    expect(moved.json.createdAt).toBe(created.json.createdAt);
    expect((await call("GET", "/v1/endpoints")).json.endpoints).toHaveLength(1);
    const one = (await call("GET", `/v1/endpoints/${created.json.id}`)).json;
    expect(one).toMatchObject({ manifest: { workflows: [{}, {}] } });
  });

  it("keeps a version with whoever has it, unless it is taken over", async () => {
    const { call, server } = await start("dev");
    const first = await startApp(server.url, [v("a", "1")]);
    const second = await startApp(server.url, [v("a", "1"), v("b", "1")]);
    await call("POST", "/v1/endpoints", { body: { url: first.url, name: "first" } });
    const refused = await call("POST", "/v1/endpoints", { body: { url: second.url, name: "second" } });
    expect(refused).toMatchObject({
      status: 409,
      json: { error: { code: "VERSION_OWNED", details: { workflow: "a", version: "1", by: "first", url: first.url } } },
    });
    expect((await call("GET", "/v1/endpoints")).json.endpoints).toHaveLength(1);
    const taken = await call("POST", "/v1/endpoints", { body: { url: second.url, name: "second", takeOver: true } });
    expect(taken.json.workflows).toEqual([
      { name: "a", version: "1" },
      { name: "b", version: "1" },
    ]);
    const listed = (await call("GET", "/v1/endpoints")).json.endpoints;
    expect(listed.find((one: { name: string }) => one.name === "first")?.workflows).toEqual([]);
  });

  it("removes an endpoint", async () => {
    const { call, server } = await start("dev");
    const app = await startApp(server.url, [v("a", "1")]);
    const { id } = (await call("POST", "/v1/endpoints", { body: { url: app.url } })).json;
    expect((await call("DELETE", `/v1/endpoints/${id}`)).status).toBe(204);
    expect((await call("DELETE", `/v1/endpoints/${id}`)).status).toBe(404);
    expect((await call("POST", `/v1/endpoints/${id}/refresh`)).status).toBe(404);
    expect((await call("GET", "/v1/workflows")).json.workflows).toEqual([]);
  });

  it("says what is wrong with an endpoint, and stores nothing", async () => {
    const { call, server } = await start("dev");
    const app = await startApp(server.url, [v("a", "1")]);
    const register = async (url = app.url) => {
      const { status, json } = await call("POST", "/v1/endpoints", { body: { url } });
      return [status, json.error?.code];
    };
    const html = { "content-type": "text/html" };
    const cases: [() => Response, string][] = [
      [() => new Response("<html>", { status: 401, headers: html }), "PROTECTED_BY_HOST"],
      [() => new Response("<html>", { status: 404, headers: html }), "NOT_AN_ENDPOINT"],
      [() => new Response(null, { status: 308, headers: { location: "/api/aiki/" } }), "REDIRECT"],
      [() => new Response("<html>", { headers: html }), "BAD_ANSWER"],
      [
        () => Response.json({ nonce: "another", pushId: "p", manifest: {} }, { headers: { "aiki-protocol": "1" } }),
        "BAD_ANSWER",
      ],
      [() => new Response("", { status: 503 }), "BUSY"],
      [() => new Response("", { status: 500 }), "ENDPOINT_ERROR"],
      [() => new Response("x".repeat(2_000_000), { headers: { "aiki-protocol": "1" } }), "BAD_ANSWER"],
    ];
    for (const [respond, code] of cases) {
      app.intercept(respond);
      expect(await register()).toEqual([422, code]);
    }
    app.intercept();
    app.serve([v("a", "1")], { url: "https://shop.example/api/aiki" });
    expect(await register()).toEqual([422, "AUDIENCE_MISMATCH"]);
    app.serve([v("a", "1")]);
    expect(await register("http://127.0.0.1:1/api/aiki")).toEqual([422, "CONNECTION_REFUSED"]);
    expect(await register("http://10.0.0.1/api/aiki")).toEqual([422, "BLOCKED_ADDRESS"]);
    expect(await register("http://169.254.169.254/latest/meta-data")).toEqual([422, "BLOCKED_ADDRESS"]);
    expect(await register("http://user:password@localhost/")).toEqual([400, "INVALID_URL"]);
    expect((await call("GET", "/v1/endpoints")).json.endpoints).toEqual([]);
    expect(await register()).toEqual([201, undefined]);
  });

  it("keeps secret headers sealed, sends them, and never shows them", async () => {
    const store = memoryStore();
    const { call, server } = await start("dev", { store });
    const app = await startApp(server.url, [v("a", "1")]);
    let bypass: string | null = null;
    app.intercept((request) => {
      bypass = request.headers.get("x-bypass");
      return undefined;
    });
    const url = `${app.url}?token=S3CRET`;
    const registered = await call("POST", "/v1/endpoints", { body: { url, headers: { "X-Bypass": "S3CRET" } } });
    expect(registered.json).toMatchObject({ headerNames: ["x-bypass"], url: app.url, name: app.url });
    expect(bypass).toBe("S3CRET");
    expect(registered.text).not.toContain("S3CRET");
    expect((await store.listEndpoints())[0]?.sealedHeaders).not.toContain("S3CRET");
    const refused = async (headers: Record<string, string>) =>
      (await call("POST", "/v1/endpoints", { body: { url, headers } })).json.error.code;
    expect(await refused({ "Aiki-Protocol": "2" })).toBe("INVALID_REQUEST");
    expect(await refused({ Authorization: "Basic x" })).toBe("INVALID_REQUEST");
    expect(await refused({ "x-a": "b\r\nx-c: d" })).toBe("INVALID_REQUEST");
    expect(await refused({ "bad name": "x" })).toBe("INVALID_REQUEST");
    const moved = { url, headers: { authorization: "Basic x" }, signatureHeader: "aiki-signature" };
    expect((await call("POST", "/v1/endpoints", { body: moved })).status).toBe(200);
  });

  it("is bounded per minute", async () => {
    const { call } = await start("dev", { settings: { AIKI_REGISTRATIONS_PER_MINUTE: 3 } });
    const register = () => call("POST", "/v1/endpoints", { body: { url: "http://127.0.0.1:1/" } });
    for (let i = 0; i < 3; i++) expect((await register()).status).toBe(422);
    const refused = await register();
    expect([refused.status, refused.json.error.code]).toEqual([429, "OVERLOADED"]);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("of aiki start reaches public addresses only, unless a network is named", async () => {
    const closed = await start("start");
    const app = await startApp(closed.server.url, [v("a", "1")]);
    const body = { url: app.url };
    expect((await closed.call("POST", "/v1/endpoints", { body })).json.error.code).toBe("BLOCKED_ADDRESS");
    expect(app.requests).toBe(0);
    const open = await start("start", {
      settings: readSettings({ AIKI_EGRESS_ALLOW: "127.0.0.0/8", AIKI_ADMIN_KEY: ADMIN_KEY }),
    });
    const reached = await startApp(open.server.url, [v("a", "1")]);
    expect((await open.call("POST", "/v1/endpoints", { body: { url: reached.url } })).status).toBe(201);
  });
});
