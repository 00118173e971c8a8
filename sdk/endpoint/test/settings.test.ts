import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Manifest } from "@aikirun/protocol";
import { event, type Logger, workflow } from "@aikirun/workflow";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type EndpointOptions, endpoint } from "../src/index.js";
import { SDK_VERSION } from "../src/version.js";
import {
  type Answer,
  describePush,
  executePush,
  type Push,
  type SigningKey,
  signedPush,
  signingKey,
} from "./orchestrator.js";
import { counts, probes, silent } from "./probes.js";

const URL_ = "http://app.test/api/aiki";
const packageJson = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
let key: SigningKey;
beforeAll(async () => {
  key = await signingKey("Ed25519");
});

interface Told {
  readonly code: string;
  readonly message: string;
}
/** A logger that keeps what it was told. */
function listening(): { logger: Logger; told: Told[] } {
  const told: Told[] = [];
  const keep = (fields: object | string, message?: string): void => {
    told.push({ code: (fields as { code: string }).code, message: message ?? "" });
  };
  return { told, logger: { ...silent, warn: keep, error: keep } };
}

/** One push against an endpoint with these options and bindings. */
async function ask(
  options: EndpointOptions,
  env: Record<string, string>,
  push: Push = executePush(),
  claims: Record<string, unknown> = {},
) {
  const handle = endpoint({ workflows: probes, logger: silent, ...options });
  return await askOf(handle, env, push, claims);
}
async function askOf(
  handle: ReturnType<typeof endpoint>,
  env: Record<string, string>,
  push = executePush(),
  claims: Record<string, unknown> = {},
) {
  const { headers, body } = await signedPush(key, URL_, push, claims);
  const response = await handle(
    new Request(URL_, { method: "POST", headers: { ...headers, host: "app.test" }, body: body as string }),
    env,
  );
  const json = (await response.json()) as Answer;
  return { status: response.status, code: json.error?.code ?? "accepted", json, response };
}

describe("keys", () => {
  it("come from an option, else from AIKI_PUBLIC_KEYS", async () => {
    const stranger = await signingKey("ES256");
    expect((await ask({ publicKeys: [stranger.text, key.text] }, {})).code).toBe("accepted");
    expect((await ask({}, { AIKI_PUBLIC_KEYS: ` ${stranger.text} ,${key.text},` })).code).toBe("accepted");
    expect((await ask({ publicKeys: stranger.text }, { AIKI_PUBLIC_KEYS: key.text })).code).toBe(
      "UNAUTHENTICATED_PUSH",
    );
  });

  it("come else from AIKI_URL", async () => {
    const orchestrator = createServer((request, response) => {
      const known = request.url === "/.well-known/jwks.json" ? [key.publicJwk] : [];
      response.end(JSON.stringify({ keys: known }));
    });
    await new Promise<void>((resolve) => orchestrator.listen(0, "127.0.0.1", resolve));
    const AIKI_URL = `http://127.0.0.1:${(orchestrator.address() as AddressInfo).port}`;
    expect((await ask({}, { AIKI_URL })).code).toBe("accepted");
    orchestrator.closeAllConnections();
    await new Promise((resolve) => orchestrator.close(resolve));
    const { status, code, response } = await ask({}, { AIKI_URL });
    expect([status, code, response.headers.get("retry-after")]).toEqual([503, "KEYS_UNREACHABLE", "5"]);
  });

  it.each([{ NODE_ENV: "production" }, { VERCEL: "1" }, { AWS_LAMBDA_FUNCTION_NAME: "app" }])(
    "must be configured in production (%j): said at each request, logged once",
    async (env) => {
      const { logger, told } = listening();
      const handle = endpoint({ workflows: probes, logger });
      const before = counts();
      for (let i = 0; i < 3; i++) {
        const { status, code, json } = await askOf(handle, env);
        expect([status, code]).toEqual([403, "KEYS_MISSING"]);
        expect(json.error?.message).toBe(
          "This app does not know which orchestrator to trust. Set AIKI_PUBLIC_KEYS (print it with `aiki keys public`) or AIKI_URL.",
        );
      }
      expect(told.map(({ code }) => code)).toEqual(["KEYS_MISSING"]);
      expect(counts()).toEqual(before);
    },
  );

  it("are named in the log when a push has another", async () => {
    const { logger, told } = listening();
    const stranger = await signingKey("Ed25519");
    await ask({ publicKeys: stranger.text, logger }, {});
    expect(told).toEqual([
      {
        code: "SIGNATURE_INVALID",
        message:
          `Key kid="${key.kid}" is not among the keys of AIKI_PUBLIC_KEYS (${stranger.kid}). ` +
          "Another orchestrator, or keys were rotated: aiki keys public.",
      },
    ]);
  });
});

describe("options", () => {
  it.each([
    [{ maxduration: 60 }, "maxduration"],
    [{ publicKeys: "ed25519:AAAA" }, "publicKeys"],
    [{ publicKeys: [] }, "publicKeys"],
    [{ url: "/api/aiki" }, "url"],
    [{ namespace: "Not a namespace" }, "namespace"],
    [{ maxDuration: { milliseconds: 10 } }, "maxDuration"],
    [{ logger: { info() {} } }, "logger"],
    [{ keepHistory: { runs: -1 } }, "keepHistory.runs"],
    [{ keepHistory: { entries: 1 } }, "entries"],
  ])("%j stops the app where it is written, naming %s", (options, name) => {
    expect(() => endpoint({ workflows: probes, ...(options as EndpointOptions) })).toThrow(
      expect.objectContaining({ code: "SETTING_INVALID", message: expect.stringContaining(name) }),
    );
  });

  it.each([
    ["AIKI_PUBLIC_KEYS", "secret-looking"],
    ["AIKI_NAMESPACE", "A B"],
    ["AIKI_ENDPOINT_URL", "app.example.com"],
  ])("a wrong %s shows at the first request: in the log by name, in the answer by code", async (name, value) => {
    const { logger, told } = listening();
    const { status, code, json } = await ask({ logger }, { AIKI_PUBLIC_KEYS: key.text, [name]: value });
    expect([status, code]).toEqual([500, "SETTING_INVALID"]);
    expect(JSON.stringify(json)).not.toContain(value);
    expect(told[0]?.message).toContain(name);
  });

  it("win over the environment", async () => {
    const env = {
      AIKI_PUBLIC_KEYS: key.text,
      AIKI_NAMESPACE: "other",
      AIKI_ENDPOINT_URL: "http://other.test/",
      AIKI_ISSUER: "http://x",
    };
    expect((await ask({}, env)).code).toBe("ISSUER_MISMATCH");
    expect((await ask({ issuer: "http://orchestrator.test" }, env)).code).toBe("NAMESPACE_MISMATCH");
    expect((await ask({ issuer: "http://orchestrator.test", namespace: "default" }, env)).code).toBe(
      "AUDIENCE_MISMATCH",
    );
    expect((await ask({ issuer: "http://orchestrator.test", namespace: "default", url: URL_ }, env)).code).toBe(
      "accepted",
    );
  });

  it("may name several URLs", async () => {
    const env = { AIKI_PUBLIC_KEYS: key.text, AIKI_ENDPOINT_URL: ` https://one.example/api/aiki , ${URL_}, ` };
    expect((await ask({}, env)).code).toBe("accepted");
    expect((await ask({}, env, executePush(), { aud: "https://one.example/api/aiki" })).code).toBe("accepted");
    expect((await ask({}, env, executePush(), { aud: "https://two.example/api/aiki" })).code).toBe("AUDIENCE_MISMATCH");
  });

  it("refuse the same version twice, and anything that is no version", () => {
    expect(() => endpoint({ workflows: [...probes, ...probes] })).toThrow(
      expect.objectContaining({ code: "DUPLICATE_WORKFLOW" }),
    );
    expect(() => endpoint({ workflows: [workflow({ name: "x" }) as never] })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

describe("platforms", () => {
  const env = () => ({ AIKI_PUBLIC_KEYS: key.text });
  it.each([
    [{ VERCEL: "1", VERCEL_URL: "shop-abc.vercel.app" }, "https://shop-abc.vercel.app/api/aiki", "accepted"],
    [{ VERCEL: "1", VERCEL_PROJECT_PRODUCTION_URL: "shop.example" }, "https://shop.example/api/aiki", "accepted"],
    [{ VERCEL: "1", VERCEL_URL: "shop-abc.vercel.app" }, URL_, "AUDIENCE_MISMATCH"],
    [{ NETLIFY: "true", URL: "https://shop.netlify.app" }, "https://shop.netlify.app/api/aiki", "accepted"],
    [{ URL: "https://shop.netlify.app" }, "https://shop.netlify.app/api/aiki", "AUDIENCE_MISMATCH"],
  ])("%j, registered as %s: %s", async (platform, aud, code) => {
    expect((await ask({}, { ...env(), ...platform }, executePush(), { aud })).code).toBe(code);
  });

  it.each([
    [{}, undefined, 15 * 60_000],
    [{ VERCEL: "1", VERCEL_URL: "app.test" }, undefined, 60_000],
    [{ VERCEL: "1", VERCEL_URL: "app.test" }, { seconds: 300 }, 300_000],
  ])("%j with maxDuration %j may work %d ms", async (platform, maxDuration, ms) => {
    const options = maxDuration ? { maxDuration, url: URL_ } : { url: URL_ };
    const { json } = await ask(options, { ...env(), ...platform }, describePush());
    expect((json.manifest as Manifest).capabilities.maxDurationMs).toBe(ms);
  });
});

describe("the manifest", () => {
  it("has events, and the JSON Schemas that a schema library offers", async () => {
    const schema = { input: z.object({ cents: z.number().int() }), output: z.string() };
    const paid = workflow({ name: "paid" }).v("2", {
      handler: async () => "ok",
      schema,
      events: { settled: event({ schema: z.object({ by: z.string() }) }), nudged: event() },
    });
    const handle = endpoint({ workflows: [paid], publicKeys: key.text, logger: silent });
    const { json, response } = await askOf(handle, {}, describePush());
    const manifest = json.manifest as Manifest;
    expect(manifest.workflows[0]).toMatchObject({
      name: "paid",
      version: "2",
      input: { type: "object", properties: { cents: { type: "integer" } } },
      output: { type: "string" },
      events: [{ name: "settled", schema: { type: "object" } }, { name: "nudged" }],
    });
    expect(manifest.sdk).toEqual({ name: "@aikirun/endpoint", version: packageJson.version });
    const other = endpoint({ workflows: probes, publicKeys: key.text, logger: silent });
    const hash = (await askOf(other, {}, describePush())).response.headers.get("aiki-manifest");
    expect(hash).not.toBe(response.headers.get("aiki-manifest"));
  });

  it("carries the package's version", () => expect(SDK_VERSION).toBe(packageJson.version));
});

describe("a person", () => {
  it("sees names on a developer's machine only", async () => {
    const handle = endpoint({ workflows: probes, logger: silent });
    const look = async (env: object) =>
      (await (await handle(new Request(URL_), env)).json()) as Record<string, unknown>;
    expect(await look({})).toMatchObject({ workflows: 2, served: ["hello@1.0.0", "patient@1.0.0"] });
    expect(await look({ NODE_ENV: "production" })).not.toHaveProperty("served");
  });
});
