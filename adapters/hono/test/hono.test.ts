import type { AddressInfo } from "node:net";
import { type ServerType, serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { conformance } from "../../../sdk/endpoint/test/conformance.js";
import { executePush, type SigningKey, send, signedPush, signingKey } from "../../../sdk/endpoint/test/orchestrator.js";
import { counts, probes, silent } from "../../../sdk/endpoint/test/probes.js";
import { serveAiki } from "../src/index.js";

const servers: ServerType[] = [];
async function listen(app: Hono): Promise<string> {
  const server = await new Promise<ServerType>((resolve) => {
    const started: ServerType = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(started));
  });
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const close = async (): Promise<void> => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
};

conformance({
  name: "Hono on Node",
  adapter: "@aikirun/hono",
  async launch({ publicKeys }) {
    const app = new Hono();
    app.all("/api/aiki", serveAiki(probes, { publicKeys, logger: silent }));
    return { url: `${await listen(app)}/api/aiki`, counts: async () => counts(), close };
  },
});

describe("Hono", () => {
  let key: SigningKey;
  beforeAll(async () => {
    key = await signingKey("Ed25519");
  });
  afterEach(close);
  const options = () => ({ publicKeys: key.text, logger: silent });

  it("works in an app that is mounted in another", async () => {
    const inner = new Hono().all("/aiki", serveAiki(probes, options()));
    const url = `${await listen(new Hono().route("/deep/api", inner))}/deep/api/aiki`;
    const { response } = await send(url, await signedPush(key, url, executePush()));
    expect(response.status).toBe(200);
  });

  it.each(["json", "text", "arrayBuffer"] as const)(
    "works after a middleware that called c.req.%s()",
    async (method) => {
      const app = new Hono();
      app.use(async (c, next) => {
        await c.req[method]();
        await next();
      });
      app.all("/api/aiki", serveAiki(probes, options()));
      const url = `${await listen(app)}/api/aiki`;
      const { json } = await send(url, await signedPush(key, url, executePush()));
      expect(json?.state).toBe("waiting");
    },
  );

  it("says so when the raw request was read past Hono", async () => {
    const app = new Hono();
    app.use(async (c, next) => {
      await c.req.raw.text();
      await next();
    });
    app.all("/api/aiki", serveAiki(probes, options()));
    const url = `${await listen(app)}/api/aiki`;
    const { response, json } = await send(url, await signedPush(key, url, executePush()));
    expect([response.status, json?.error?.code]).toEqual([500, "BODY_ALREADY_PARSED"]);
  });

  it("takes settings from the bindings before those of the process", async () => {
    const app = new Hono();
    app.all("/api/aiki", serveAiki(probes, { logger: silent }));
    const url = "http://app.example.com/api/aiki";
    const { headers, body } = await signedPush(key, url, executePush(), { ns: "team" });
    const init = { method: "POST", headers: { ...headers, host: "app.example.com" }, body: body as string };
    const bindings = { AIKI_PUBLIC_KEYS: key.text, AIKI_NAMESPACE: "team", SOME_QUEUE: {} };
    expect((await app.request(url, init, bindings)).status).toBe(200);
    expect((await app.request(url, init, { ...bindings, AIKI_NAMESPACE: "other" })).status).toBe(401);
  });
});
