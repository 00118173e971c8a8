import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { jwksKeys } from "../src/keys.js";
import { Refusal } from "../src/refusal.js";
import { type SigningKey, signingKey } from "./orchestrator.js";

describe("keys asked of the orchestrator", () => {
  let server: Server;
  let url: string;
  let one: SigningKey;
  let two: SigningKey;
  let published: unknown;
  let status = 200;
  let asked = 0;
  let now = 1_000_000;
  const source = (over: { url?: string } = {}) => jwksKeys({ url, now: () => now, ...over });
  const set = (...keys: SigningKey[]) => ({
    keys: keys.map(({ publicJwk, alg, kid }) => ({ ...publicJwk, alg, kid, use: "sig" })),
  });

  beforeAll(async () => {
    [one, two] = await Promise.all([signingKey("Ed25519"), signingKey("ES256")]);
  });
  beforeEach(async () => {
    published = set(one);
    [status, asked, now] = [200, 0, 1_000_000];
    server = createServer((_request, response) => {
      asked++;
      response.writeHead(status, { location: "http://127.0.0.1:9/" }).end(JSON.stringify(published));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("are asked for once, also by many at the same time", async () => {
    const keys = source();
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.find(one.kid)));
    expect(found.every((key) => key?.kid === one.kid)).toBe(true);
    expect(await keys.find(one.kid)).toMatchObject({ alg: "Ed25519" });
    expect(asked).toBe(1);
  });

  it("are asked for again when an id is unknown, on loopback once in a second", async () => {
    const keys = source();
    expect(await keys.find(two.kid)).toBeUndefined();
    expect(await keys.find(two.kid)).toBeUndefined();
    expect(asked).toBe(1);
    published = set(one, two);
    now += 1_000;
    expect(await keys.find(two.kid)).toMatchObject({ alg: "ES256" });
    expect(asked).toBe(2);
  });

  it("elsewhere once in 30 seconds", async () => {
    const answer = async (): Promise<Response> => {
      asked++;
      return Response.json(published);
    };
    const keys = jwksKeys({
      url: "https://aiki.example/.well-known/jwks.json",
      now: () => now,
      fetch: answer as typeof fetch,
    });
    expect(await keys.find(two.kid)).toBeUndefined();
    now += 29_999;
    expect(await keys.find(two.kid)).toBeUndefined();
    expect(asked).toBe(1);
    now += 1;
    await keys.find(two.kid);
    expect(asked).toBe(2);
  });

  it("are forgotten when they are no longer published", async () => {
    const keys = source();
    await keys.find(one.kid);
    published = set(two);
    now += 10 * 60_000;
    expect(await keys.find(one.kid)).toBeUndefined();
  });

  it("count for an hour while the orchestrator cannot be asked", async () => {
    const keys = source();
    await keys.find(one.kid);
    status = 500;
    now += 59 * 60_000;
    expect(await keys.find(one.kid)).toMatchObject({ kid: one.kid });
    now += 60_000;
    await expect(keys.find(one.kid)).rejects.toMatchObject({ code: "KEYS_UNREACHABLE", status: 503 });
  });

  it.each([
    ["a redirect", 302, { keys: [] }],
    ["an error", 500, { keys: [] }],
    ["no key set", 200, { jwks: [] }],
    ["null", 200, null],
  ])("are not taken from %s", async (_name, answered, body) => {
    [status, published] = [answered, body];
    await expect(source().find(one.kid)).rejects.toBeInstanceOf(Refusal);
  });

  it("of other kinds are passed over", async () => {
    published = { keys: [null, 7, { kty: "oct", k: "AA" }, { ...one.publicJwk, alg: "HS256" }, ...set(two).keys] };
    const keys = source();
    expect(await keys.find(one.kid)).toBeUndefined();
    expect(await keys.find(two.kid)).toBeDefined();
  });

  it("that cannot be reached leave the reason in the log, not in the answer", async () => {
    const refused = source({ url: "http://127.0.0.1:1/.well-known/jwks.json" }).find(one.kid);
    const error = await Promise.resolve(refused).catch((thrown: unknown) => thrown);
    expect((error as Refusal).message).not.toContain("127.0.0.1");
    expect((error as Refusal).reason).toContain("http://127.0.0.1:1/.well-known/jwks.json");
  });
});
