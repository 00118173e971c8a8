import { LIMITS, type Session } from "@aikirun/protocol";
import { describe, expect, it, vi } from "vitest";
import { FailedSignIns, Sessions } from "../../src/api/sessions.js";
import { sealWith } from "../../src/dispatch/seal.js";
import { memoryStore } from "../../src/store/memory.js";
import { follow } from "./event-source.js";
import { ADMIN_KEY, type Answer, SECRET, start } from "./server.js";

const OWN = { "aiki-session": "1", "sec-fetch-site": "same-origin" };

function cookieOf(answer: Answer): string {
  const line = [answer.headers["set-cookie"]].flat().find((one) => !one?.includes("Max-Age=0"));
  if (line === undefined) throw new Error(`no cookie: ${answer.text}`);
  return line.split(";")[0] ?? "";
}

async function signedIn(apiKey = ADMIN_KEY) {
  const aiki = await start("start");
  const { call } = aiki;
  const signIn = (key: string, headers: Record<string, string> = {}) =>
    call("POST", "/v1/session", { key: undefined, body: { apiKey: key }, headers });
  const answer = await signIn(apiKey);
  const cookie = cookieOf(answer);
  const as = (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) =>
    call(method, path, { key: undefined, headers: { cookie, ...headers }, body });
  return { ...aiki, signIn, answer, cookie, as };
}

describe("a session", () => {
  it("is a cookie that no script and no other site can use, and says who it is", async () => {
    const { answer, signIn, as } = await signedIn();
    expect(answer.json).toMatchObject({ namespace: "default", scope: "admin", by: "cookie" });
    expect(String(answer.headers["set-cookie"])).toMatch(
      /^aiki-session=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    );
    const secure = await signIn(ADMIN_KEY, { origin: "https://aiki.example.com" });
    expect(String(secure.headers["set-cookie"])).toMatch(
      /^__Host-aiki-session=.*; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/,
    );
    expect(String(answer.headers["set-cookie"])).not.toContain(ADMIN_KEY);
    const session = (await as("GET", "/v1/session")).json as unknown as Session;
    expect(session).toMatchObject({ namespace: "default", scope: "admin", by: "cookie" });
    expect(session.expiresAt).toBeGreaterThan(Date.now() + LIMITS.sessionMs - 60_000);
    expect((await as("GET", "/v1/runs")).status).toBe(200);
  });

  it("changes something only from a page of its own origin", async () => {
    const { as } = await signedIn();
    const filter = { filter: { workflow: "none" } };
    for (const headers of [
      {},
      { "aiki-session": "1", "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-origin" },
      { "aiki-session": "1", "sec-fetch-site": "same-site" },
    ]) {
      const refused = await as("POST", "/v1/runs/cancel", headers, filter);
      expect([headers, refused.status, refused.json.error.code]).toEqual([headers, 403, "FOREIGN_ORIGIN"]);
    }
    for (const headers of [OWN, { "aiki-session": "1" }])
      expect((await as("POST", "/v1/runs/cancel", headers, filter)).status).toBe(200);
  });

  it("ends with the sign-out, in the browser", async () => {
    const { as } = await signedIn();
    const out = await as("DELETE", "/v1/session", OWN);
    expect(out.status).toBe(204);
    expect([out.headers["set-cookie"]].flat()).toEqual([
      "__Host-aiki-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure",
      "aiki-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
    ]);
    expect((await as("GET", "/v1/session", { cookie: "aiki-session=" })).status).toBe(401);
  });

  it("has the scope of its key, and ends when that is revoked, the streams that it reads too", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] });
    try {
      const { call, server, signIn } = await signedIn();
      const { secret, key } = (await call("POST", "/v1/keys", { body: { scope: "read", namespace: "team" } })).json;
      const cookie = cookieOf(await signIn(secret));
      const as = (method: string, path: string) =>
        call(method, path, { key: undefined, headers: { cookie, ...OWN }, body: method === "POST" ? {} : undefined });
      expect((await as("GET", "/v1/session")).json).toMatchObject({ namespace: "team", scope: "read" });
      expect((await as("POST", "/v1/runs")).json.error.code).toBe("FORBIDDEN");
      const source = await follow(server.port, "/v1/stream", { cookie });
      await vi.waitFor(() => expect(source.events).toHaveLength(1), { timeout: 10_000 });
      await call("DELETE", `/v1/keys/${key.id}`);
      vi.setSystemTime(Date.now() + 31_000);
      vi.advanceTimersByTime(31_000);
      expect((await as("GET", "/v1/session")).json.error.code).toBe("UNAUTHORIZED");
      await source.ended;
    } finally {
      vi.useRealTimers();
    }
  });

  it("is asked of nobody in aiki dev", async () => {
    const { call } = await start("dev");
    expect((await call("GET", "/v1/session")).json).toMatchObject({
      namespace: "default",
      scope: "admin",
      by: "nothing",
    });
    const answer = await call("POST", "/v1/session", { body: { apiKey: "anything" } });
    expect(answer.json).toMatchObject({ by: "nothing" });
    expect(answer.headers["set-cookie"]).toBeUndefined();
  });

  it("is refused without a key that is known, and to whoever tries many", async () => {
    const { signIn } = await signedIn();
    for (let i = 0; i < LIMITS.signInsPerMinute; i++) expect((await signIn(`wrong-${i}`)).status).toBe(401);
    const limited = await signIn(ADMIN_KEY);
    expect([limited.status, limited.json.error.code]).toEqual([429, "TOO_MANY_ATTEMPTS"]);
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
    expect((await signIn(ADMIN_KEY, { "x-forwarded-for": "10.1.1.1, 10.2.2.2" })).status).toBe(200);
  });
});

describe("what is sealed in a session", () => {
  it("opens with the secret that sealed it, until it is over", async () => {
    let now = 1_000_000;
    const sessions = async (secret: Uint8Array<ArrayBuffer>) => new Sessions(await sealWith(secret), () => now);
    const mine = await sessions(SECRET);
    const { cookie, expiresAt } = await mine.begin("hash", now + 5_000, "http://localhost");
    expect(expiresAt).toBe(now + 5_000);
    const header = `other=1; ${cookie.split(";")[0]}; more=2`;
    expect(await mine.read(header)).toEqual({ keyHash: "hash", expiresAt });
    expect(await (await sessions(new Uint8Array(32).fill(1))).read(header)).toBeUndefined();
    for (const wrong of [undefined, "", "aiki-session=s1.x", header.replace("=s1.", "=s1.A"), `x${header.slice(8)}`])
      expect(await mine.read(wrong)).toBeUndefined();
    // What was sealed for something else is no session.
    const other = await (await sealWith(SECRET)).close(JSON.stringify({ keyHash: "hash", expiresAt }), "headers");
    expect(await mine.read(`aiki-session=${other}`)).toBeUndefined();
    now += 5_000;
    expect(await mine.read(header)).toBeUndefined();
  });

  it("counts failures by peer and by whom a proxy names, each within a minute", () => {
    let now = 0;
    const failures = new FailedSignIns(() => now);
    const from = (address: string, forwardedFor?: string) => ({ address, forwardedFor });
    for (let i = 0; i < LIMITS.signInsPerMinute; i++) failures.count(from("a", "spoofed, b"));
    expect(() => failures.check(from("a", "other, b"))).toThrow("Try again in 60 s");
    expect(() => failures.check(from("a", "c"))).not.toThrow();
    for (let i = 0; i < 9 * LIMITS.signInsPerMinute; i++) failures.count(from("a", `x${i}`));
    expect(() => failures.check(from("a", "c"))).toThrow("100 sign-ins");
    expect(() => failures.check(from("z", "b"))).not.toThrow();
    now += 60_001;
    expect(() => failures.check(from("a", "b"))).not.toThrow();
  });
});

it("makes no session of a store that was started without keys", async () => {
  const { call } = await start("start", { store: memoryStore() });
  expect((await call("POST", "/v1/session", { key: undefined, body: {} })).json.error.code).toBe("INVALID_REQUEST");
});
