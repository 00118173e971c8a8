import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { SILENT } from "../src/log.js";
import { readSettings } from "../src/shell/env.js";
import { startServer } from "../src/shell/node.js";
import { readOrMakeSecret } from "../src/shell/secret-file.js";
import { memoryStore } from "../src/store/memory.js";
import { ADMIN_KEY, SECRET, start } from "./api/server.js";

describe("settings", () => {
  it("are read, each into its own kind of value", () => {
    const settings = readSettings({
      DATABASE_URL: "postgres://user:pass@host/db",
      AIKI_SECRET: Buffer.alloc(32, 1).toString("base64"),
      AIKI_ADMIN_KEY: ADMIN_KEY,
      AIKI_PUBLIC_URL: "https://aiki.example/",
      PORT: "8080",
      AIKI_EGRESS_ALLOW: "10.0.0.0/8, fd00::/8",
      AIKI_EGRESS_PORTS: "443,8443",
      AIKI_DB_PREPARE: "off",
      AIKI_LEASE_MS: "",
      PATH: "/bin",
      AIKI_URL: "http://localhost:9850",
    });
    expect(settings).toMatchObject({
      AIKI_PUBLIC_URL: "https://aiki.example",
      PORT: 8080,
      AIKI_EGRESS_PORTS: [443, 8443],
    });
    expect(settings.AIKI_SECRET?.byteLength).toBe(32);
    expect(settings.AIKI_EGRESS_ALLOW).toHaveLength(2);
    expect(settings.AIKI_LEASE_MS).toBeUndefined();
  });

  const wrong: [string, string, RegExp][] = [
    ["DATABASE_URL", "mysql://S3CRET@host/db", /^DATABASE_URL is not a postgres:\/\/ URL\.$/],
    ["AIKI_SECRET", "S3CRET", /^AIKI_SECRET is not 32 bytes in base64/],
    ["AIKI_ADMIN_KEY", "S3CRET", /^AIKI_ADMIN_KEY must have at least 24 characters/],
    ["AIKI_SIGNING_KEY", "S3CRET", /^AIKI_SIGNING_KEY is not a private key/],
    ["AIKI_PUBLIC_URL", "aiki.example", /^AIKI_PUBLIC_URL is not an http or https URL/],
    ["PORT", "98500", /^PORT must lie between 0 and 65535/],
    ["PORT", "9850x", /^PORT is not a whole number/],
    ["AIKI_EGRESS_ALLOW", "true", /^AIKI_EGRESS_ALLOW "true" is not a network such as/],
    ["AIKI_EGRESS_ALLOW", "0.0.0.0/0", /^AIKI_EGRESS_ALLOW "0.0.0.0\/0" is not a network/],
    ["AIKI_EGRESS_ALLOW", "10.0.0.0/8,10.1.2.3", /^AIKI_EGRESS_ALLOW "10.1.2.3"/],
    ["AIKI_EGRESS_PORTS", "https", /^AIKI_EGRESS_PORTS is not a list of ports/],
    ["AIKI_DB_PREPARE", "yes", /^AIKI_DB_PREPARE must be auto, on or off/],
    ["AIKI_LEASE_MS", "5", /^AIKI_LEASE_MS must lie between/],
    ["AIKI_SECRT", "x", /^AIKI_SECRT is not a setting of Aiki; the nearest is AIKI_SECRET\.$/],
    ["AIKI_EGRES_ALLOW", "x", /the nearest is AIKI_EGRESS_ALLOW\.$/],
    ["AIKI_PUBLIC_KEY", "x", /the nearest is AIKI_PUBLIC_KEYS\.$/],
  ];
  it.each(wrong)("refuses %s=%s in one line that names it", (name, value, message) => {
    let error: unknown;
    try {
      readSettings({ [name]: value });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "SETTING_INVALID", details: { setting: name } });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(/S3CRET|\n/);
  });

  it("makes the secret of aiki dev once, for its owner only", async () => {
    const folder = await mkdtemp(join(tmpdir(), "aiki-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [first, second] = await Promise.all([readOrMakeSecret(folder), readOrMakeSecret(folder)]);
    expect(Buffer.from(second).equals(first)).toBe(true);
    expect((await stat(join(folder, "secret"))).mode & 0o077).toBe(0);
    expect(Buffer.from(await readOrMakeSecret(folder)).equals(first)).toBe(true);
    expect((await readFile(join(folder, "secret"), "utf8")).trim()).toHaveLength(44);
    await writeFile(join(folder, "secret"), "short");
    await expect(readOrMakeSecret(folder)).rejects.toMatchObject({ code: "SETTING_INVALID" });
  });
});

describe("starting", () => {
  const options = (settings: object, mode: "dev" | "start" = "start") => ({
    mode,
    settings: { PORT: 0, AIKI_HOST: "127.0.0.1", AIKI_SECRET: SECRET, ...settings },
    store: memoryStore(),
    log: SILENT,
  });

  it("refuses to run open, and runs once there is a key", async () => {
    const open = options({});
    await expect(startServer(open)).rejects.toMatchObject({ code: "OPEN_SERVER" });
    const aiki = await start("start", { store: open.store });
    expect((await aiki.call("POST", "/v1/keys", { body: { scope: "admin" } })).status).toBe(201);
    const server = await startServer(open);
    await server.close();
  });

  it("names what is missing", async () => {
    await expect(startServer({ mode: "start", settings: {} })).rejects.toThrow(/^AIKI_SECRET is missing/);
    await expect(startServer({ mode: "start", settings: { AIKI_SECRET: SECRET } })).rejects.toThrow(
      /^DATABASE_URL is missing/,
    );
    const jwk = { kty: "OKP", crv: "Ed25519", x: "AAAA" };
    await expect(startServer(options({ AIKI_ADMIN_KEY: ADMIN_KEY, AIKI_SIGNING_KEY: jwk }))).rejects.toThrow(
      /^AIKI_SIGNING_KEY is not/,
    );
  });

  it("says who uses the port", async () => {
    const first = await start("dev", { folder: "~/shop" });
    const { port } = first.server;
    const taken = startServer(options({ PORT: port }, "dev"));
    await expect(taken).rejects.toMatchObject({ code: "PORT_IN_USE", details: { port } });
    await expect(taken).rejects.toThrow(
      `Port ${port} is used by \`aiki dev\` of ~/shop (pid ${process.pid}). Stop it, or: aiki dev --port`,
    );
  });

  it("tells a database that is away from a broken program", async () => {
    const { StoreUnavailable } = await import("../src/store/port.js");
    const store = memoryStore();
    let away = false;
    const flaky = new Proxy(store, {
      get(target, name: keyof typeof store) {
        const verb = target[name] as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (away && name !== "now") return Promise.reject(new StoreUnavailable("gone"));
          return verb.apply(target, args);
        };
      },
    });
    const { call } = await start("dev", { store: flaky });
    away = true;
    const answer = await call("GET", "/v1/runs");
    expect([answer.status, answer.json.error.code, answer.headers["retry-after"]]).toEqual([
      503,
      "DATABASE_UNAVAILABLE",
      "1",
    ]);
    expect((await call("GET", "/ready")).status).toBe(503);
    expect((await call("GET", "/health")).status).toBe(200);
    away = false;
    expect((await call("GET", "/ready")).status).toBe(200);
  });
});
