import { newId } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { authenticateWith, newApiKey, type Scope } from "../../src/api/keys.js";
import { routes } from "../../src/api/routes.js";
import { memoryStore } from "../../src/store/memory.js";
import { ADMIN_KEY, type Answer, call, start } from "./server.js";

/** A path of the route with well-formed ids of nothing. */
function pathOf(path: string): string {
  const prefix = path.startsWith("/v1/runs")
    ? "run"
    : path.startsWith("/v1/endpoints")
      ? "ep"
      : path.startsWith("/v1/schedules")
        ? "sch"
        : "key";
  const query = path.endsWith("/wait") ? "?timeoutMs=0" : path === "/v1/stream" ? "?limit=0" : "";
  return path.replace(":id", newId(prefix)) + query;
}

const RANK = { read: 0, write: 1, admin: 2 } as const;
const guarded = routes.flatMap(({ scope, ...route }) =>
  scope === "public" || scope === "checkpoint" ? [] : [{ ...route, scope }],
);

async function withKeys() {
  const aiki = await start("start");
  const make = async (body: object): Promise<string> => {
    const made = await aiki.call("POST", "/v1/keys", { body });
    expect(made.status).toBe(201);
    return made.json.secret;
  };
  const as = (key: string | undefined, method: string, path: string, body?: unknown): Promise<Answer> =>
    call(aiki.server.port, method, path, { key, body });
  return { aiki, make, as };
}

const codeOf = (answer: Answer) => answer.json?.error?.code;

describe("every route", () => {
  it("is in the table once", () => {
    const names = routes.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(20);
    expect(routes.filter((route) => route.scope === "public").map((route) => route.path)).toEqual([
      "/.well-known/jwks.json",
      "/health",
      "/ready",
      "/openapi.json",
    ]);
  });

  it("asks for a key that is known, of its scope, not revoked and not expired", async () => {
    const { make, as, aiki } = await withKeys();
    const keys: Record<Scope, string> = {
      read: await make({ scope: "read" }),
      write: await make({ scope: "write" }),
      admin: await make({ scope: "admin" }),
    };
    const revoked = await make({ scope: "admin" });
    const { keys: listed } = (await aiki.call("GET", "/v1/keys")).json;
    expect((await aiki.call("DELETE", `/v1/keys/${listed.at(-1)?.id}`)).status).toBe(204);
    const strangers: [string, string | undefined][] = [
      ["no key", undefined],
      ["nonsense", "nonsense"],
      ["a mistyped key", `${keys.admin.slice(0, -1)}${keys.admin.endsWith("0") ? "1" : "0"}`],
      ["a revoked key", revoked],
      ["nearly the admin key", `${ADMIN_KEY}x`],
    ];
    for (const route of guarded) {
      const path = pathOf(route.path);
      for (const [who, key] of strangers) {
        const answer = await as(key, route.method, path);
        expect([who, route.path, answer.status, codeOf(answer)]).toEqual([who, route.path, 401, "UNAUTHORIZED"]);
        expect(answer.headers["www-authenticate"]).toContain("Bearer");
      }
      for (const scope of ["read", "write", "admin"] as const) {
        const answer = await as(keys[scope], route.method, path);
        const enough = RANK[scope] >= RANK[route.scope];
        const everywhereOnly = route.path === "/v1/signing-keys/rotate";
        expect([scope, route.method, route.path, codeOf(answer) === "FORBIDDEN"]).toEqual([
          scope,
          route.method,
          route.path,
          !enough || everywhereOnly,
        ]);
        expect(answer.status).not.toBe(401);
        expect(answer.status).toBeLessThan(500);
      }
    }
  });

  it("answers public routes without a key", async () => {
    const { as } = await withKeys();
    for (const route of routes.filter((one) => one.scope === "public")) {
      expect((await as(undefined, route.method, route.path)).status).toBe(200);
    }
  });

  it("answers what its schema says", async () => {
    const { aiki } = await withKeys();
    const readable = routes.filter(
      ({ method, path, scope, answers }) =>
        method === "GET" && !path.includes(":") && scope !== "checkpoint" && answers[200] !== "events",
    );
    for (const route of readable) {
      const schema = route.answers[200];
      const answer = await aiki.call("GET", route.path);
      expect(answer.status).toBe(200);
      if (typeof schema === "object") expect(() => schema.parse(answer.json)).not.toThrow();
    }
  });
});

describe("namespaces", () => {
  it("see nothing of each other", async () => {
    const { make, as } = await withKeys();
    const [a, b] = [
      await make({ namespace: "team-a", scope: "admin" }),
      await make({ namespace: "team-b", scope: "admin" }),
    ];
    const id = newId("run");
    expect((await as(a, "POST", "/v1/runs", { id, workflow: "w", version: "1" })).status).toBe(201);
    const { keys } = (await as(a, "GET", "/v1/keys")).json;
    expect(keys.map((key: { namespace: string }) => key.namespace)).toEqual(["team-a"]);

    const foreign: [string, string, unknown?][] = [
      ["GET", `/v1/runs/${id}`],
      ["GET", `/v1/runs/${id}/history`],
      ["GET", `/v1/runs/${id}/wait?timeoutMs=0`],
      ["GET", `/v1/runs/${id}/stream`],
      ["POST", `/v1/runs/${id}/cancel`, {}],
      ["POST", `/v1/runs/${id}/pause`, {}],
      ["POST", `/v1/runs/${id}/resume`, {}],
      ["POST", `/v1/runs/${id}/wakeup`, {}],
      ["POST", `/v1/runs/${id}/requeue`, {}],
      ["POST", `/v1/runs/${id}/retry`, {}],
      ["POST", `/v1/runs/${id}/events`, { name: "x" }],
      ["DELETE", `/v1/keys/${keys[0]?.id}`],
    ];
    for (const [method, path, body] of foreign) {
      expect([path, (await as(b, method, path, body)).status]).toEqual([path, 404]);
    }
    expect((await as(b, "GET", "/v1/runs")).json.runs).toEqual([]);
    expect((await as(b, "GET", "/v1/workflows")).json.workflows).toEqual([]);
    const multicast = await as(b, "POST", "/v1/events", { name: "x", runs: [{ id }] });
    expect(multicast.json.outcomes).toEqual([{ id, outcome: "not_found" }]);
    for (const filter of [{}, { workflow: "w" }, { parent: id }]) {
      const told = await as(b, "POST", "/v1/runs/cancel", { filter });
      expect([told.status, told.json]).toEqual([200, { sent: 0, duplicate: 0 }]);
    }
    const batch = await as(b, "POST", "/v1/runs/batch", { runs: [{ id, workflow: "w", version: "1" }] });
    expect(batch.json.outcomes).toMatchObject([{ outcome: "created", run: { id } }]);
    expect((await as(a, "GET", `/v1/runs/${id}`)).json.status).not.toBe("cancelled");
  });

  it("make keys only for themselves", async () => {
    const { make, as } = await withKeys();
    const a = await make({ namespace: "team-a", scope: "admin" });
    expect(codeOf(await as(a, "POST", "/v1/keys", { namespace: "team-b" }))).toBe("FORBIDDEN");
    expect((await as(a, "POST", "/v1/keys", {})).json.key.namespace).toBe("team-a");
  });
});

describe("keys", () => {
  it("show their secret once, and only its hash is stored", async () => {
    const store = memoryStore();
    const aiki = await start("start", { store });
    const made = (await aiki.call("POST", "/v1/keys", { body: { name: "ci" } })).json;
    expect(made.secret).toMatch(/^aiki_[0-9a-z]{26}_[0-9a-z]{58}$/);
    expect(made.key).toMatchObject({ name: "ci", namespace: "default", scope: "write" });
    const text = JSON.stringify([await store.listKeys(undefined), (await aiki.call("GET", "/v1/keys")).json]);
    expect(text).not.toContain(made.secret.slice(32));
  });

  it("are refused half a minute after they were revoked, and asked for once in that time", async () => {
    const store = memoryStore();
    const { id, secret, hash } = newApiKey();
    const facts = { ns: "default", name: undefined, scope: "read" as const, createdAt: 0, expiresAt: undefined };
    await store.createKey({ id, hash, ...facts, revokedAt: undefined });
    let now = 1_000_000;
    let asked = 0;
    const counted = { findKey: (wanted: string) => store.findKey(wanted).finally(() => asked++) };
    const authenticate = authenticateWith({ store: counted, adminKey: undefined, now: () => now });
    const header = `Bearer ${secret}`;
    expect(await authenticate(header)).toMatchObject({ ns: "default", scope: "read" });
    await store.revokeKey(undefined, id);
    now += 29_999;
    expect(await authenticate(header)).toBeDefined();
    now += 1;
    expect(await authenticate(header)).toBeUndefined();
    expect(await authenticate(header)).toBeUndefined();
    expect(asked).toBe(2);
    expect(await authenticate(`Bearer ${secret.slice(0, -1)}`)).toBeUndefined();
    expect(asked).toBe(2);
  });

  it("that have expired are refused", async () => {
    const { make, as, aiki } = await withKeys();
    const soon = await make({ expiresAt: Date.now() + 3_000 });
    expect((await as(soon, "GET", "/v1/runs")).status).toBe(200);
    await expect.poll(async () => (await as(soon, "GET", "/v1/runs")).status, { timeout: 20_000 }).toBe(401);
    expect(codeOf(await aiki.call("POST", "/v1/keys", { body: { expiresAt: 1 } }))).toBe("INVALID_REQUEST");
  });
});

describe("aiki dev", () => {
  it("takes any key or none", async () => {
    const { call: ask } = await start("dev");
    expect((await ask("GET", "/v1/runs")).status).toBe(200);
    expect((await ask("GET", "/v1/runs", { key: "your-api-key" })).status).toBe(200);
  });

  it("refuses what a web page of another site could send, on every route but two", async () => {
    const { call: ask, server } = await start("dev");
    const own = `localhost:${server.port}`;
    const refusals: [Record<string, string>, string][] = [
      [{ host: "evil.example" }, "FOREIGN_HOST"],
      [{ host: `rebound.example:${server.port}` }, "FOREIGN_HOST"],
      [{ host: "localhost.evil.example" }, "FOREIGN_HOST"],
      [{ host: "127.0.0.1.evil.example" }, "FOREIGN_HOST"],
      [{ host: "192.168.1.5" }, "FOREIGN_HOST"],
      [{ host: own, origin: "https://evil.example" }, "FOREIGN_ORIGIN"],
      [{ host: own, origin: "null" }, "FOREIGN_ORIGIN"],
      [{ host: own, origin: "http://localhost:3000" }, "FOREIGN_ORIGIN"],
      [{ host: own, "sec-fetch-site": "cross-site" }, "FOREIGN_ORIGIN"],
    ];
    for (const route of routes) {
      const open = route.path === "/.well-known/jwks.json" || route.path === "/health";
      for (const [headers, code] of refusals) {
        const answer = await ask(route.method, pathOf(route.path), { headers });
        const expected = open ? [200, undefined] : [403, code];
        expect([route.path, headers, answer.status, codeOf(answer)]).toEqual([route.path, headers, ...expected]);
      }
    }
    for (const host of [own, `127.0.0.1:${server.port}`, `[::1]:${server.port}`, "localhost"]) {
      expect((await ask("GET", "/v1/runs", { headers: { host } })).status).toBe(200);
    }
    expect((await ask("GET", "/v1/runs", { headers: { host: own, origin: `http://${own}` } })).status).toBe(200);
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
      const answer = await ask("POST", "/v1/runs", {
        raw: '{"workflow":"w","version":"1"}',
        headers: { "content-type": type },
      });
      expect([answer.status, codeOf(answer)]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
    }
    expect((await ask("GET", "/v1/runs")).json.runs).toEqual([]);
  });
});
