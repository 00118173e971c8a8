import { execFile } from "node:child_process";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import express5 from "express";
import express4 from "express4";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { conformance } from "../../../sdk/endpoint/test/conformance.js";
import {
  executePush,
  type Push,
  type SigningKey,
  send,
  signedPush,
  signingKey,
} from "../../../sdk/endpoint/test/orchestrator.js";
import { counts, probes, silent } from "../../../sdk/endpoint/test/probes.js";
import { serveAiki } from "../src/index.js";

const servers: Server[] = [];
async function listen(app: { listen(port: number, host: string, ready: () => void): Server }): Promise<string> {
  const server = await new Promise<Server>((resolve) => {
    const started = app.listen(0, "127.0.0.1", () => resolve(started));
  });
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function close(): Promise<void> {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

for (const [name, express] of [
  ["Express 5", express5],
  ["Express 4", express4],
] as const) {
  conformance({
    name,
    adapter: "@aikirun/express",
    async launch({ publicKeys }) {
      const app = express();
      app.use(express.json());
      app.use("/api/aiki", serveAiki(probes, { publicKeys, logger: silent }));
      return { url: `${await listen(app)}/api/aiki`, counts: async () => counts(), close };
    },
  });

  describe(name, () => {
    let key: SigningKey;
    beforeAll(async () => {
      key = await signingKey("Ed25519");
    });
    afterEach(close);

    /** Sends a push through an app with one more middleware in front. */
    async function pushThrough(middleware: express5.RequestHandler, contentType?: string, push: Push = executePush()) {
      const app = express();
      app.use(middleware);
      app.use("/api/aiki", serveAiki(probes, { publicKeys: key.text, logger: silent }));
      const url = `${await listen(app)}/api/aiki`;
      const sent = await signedPush(key, url, push);
      const headers = contentType ? { ...sent.headers, "content-type": contentType } : sent.headers;
      return await send(url, { ...sent, headers });
    }

    it.each([
      ["json", express.json({ type: "*/*" })],
      ["urlencoded", express.urlencoded({ type: "*/*", extended: false })],
    ] as const)("says so when express.%s took every media type", async (_name, parser) => {
      const { response, json } = await pushThrough(parser);
      expect([response.status, json?.error?.code]).toEqual([500, "BODY_ALREADY_PARSED"]);
      expect(json?.error?.message).toContain("/api/aiki");
    });

    it("says so when application/json was registered and express.json() came first", async () => {
      const { json } = await pushThrough(express.json(), "application/json");
      expect(json?.error?.code).toBe("BODY_ALREADY_PARSED");
    });

    it.each([
      ["text", express.text({ type: "*/*" })],
      ["raw", express.raw({ type: "*/*" })],
    ] as const)("uses what express.%s kept", async (_name, parser) => {
      const push = executePush({}, { input: { name: "Ada ☃ 𝔸" } });
      const { json } = await pushThrough(parser, undefined, push);
      expect(json?.commands).toEqual([{ type: "run.completed", output: "Hello, Ada ☃ A" }]);
    });

    it("uses the raw body that a host kept beside the parsed one", async () => {
      const parser = express.json({
        verify(request, _response, bytes) {
          Object.assign(request, { rawBody: bytes });
        },
      });
      const { json } = await pushThrough(parser, "application/json");
      expect(json?.state).toBe("waiting");
    });

    it("says how much is missing when something cut the body", async () => {
      const parser = express.raw({ type: "*/*" });
      const { response, json } = await pushThrough((request, answer, next) =>
        parser(request, answer, (error?: unknown) => {
          request.body = (request.body as Buffer).subarray(0, 100);
          next(error);
        }),
      );
      expect([response.status, json?.error?.code]).toEqual([400, "BODY_TRUNCATED"]);
      expect(json?.error?.message).toMatch(/\d+ bytes announced, 100 received/);
    });

    it("works under a mounted router and under post() and get()", async () => {
      const router = express.Router();
      const handler = serveAiki(probes, { publicKeys: key.text, logger: silent });
      router.post("/aiki", handler);
      router.get("/aiki", handler);
      const app = express();
      app.use("/deep/api", router);
      const url = `${await listen(app)}/deep/api/aiki`;
      expect((await send(url, await signedPush(key, url, executePush()))).response.status).toBe(200);
      expect((await fetch(url)).status).toBe(200);
    });
  });
}

it("is loaded by require() in a CommonJS app", async () => {
  const app = `
    const express = require("express");
    const { serveAiki } = require("@aikirun/express");
    const { workflow } = require("@aikirun/workflow");
    const hello = workflow({ name: "hello" }).v("1.0.0", { handler: async () => "Hello" });
    const server = express().use("/api/aiki", serveAiki([hello])).listen(0, "127.0.0.1", async () => {
      const response = await fetch("http://127.0.0.1:" + server.address().port + "/api/aiki");
      console.log(response.headers.get("aiki-protocol"), (await response.json()).served.join());
      server.close();
    });`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=commonjs", "--eval", app], {
    cwd: import.meta.dirname,
    env: { ...process.env, NODE_ENV: "development" },
  });
  expect([stdout.trim(), stderr]).toEqual(["1 hello@1.0.0", ""]);
});
