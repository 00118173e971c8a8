/** What Hono's execution context offers is what keeps work alive that goes on after an answer. */
import { Hono } from "hono";
import { expect, it } from "vitest";
import { describePush, signedPush, signingKey } from "../../../sdk/endpoint/test/orchestrator.js";
import { probes, silent } from "../../../sdk/endpoint/test/probes.js";
import { serveAiki } from "../src/index.js";

const URL_ = "http://app.test/api/aiki";
/** Stands still once its requests are answered. */
const ENV = { AWS_LAMBDA_FUNCTION_NAME: "app" };

it("takes the waitUntil of the runtime, where it has one", async () => {
  const key = await signingKey("Ed25519");
  const handler = serveAiki(probes, { publicKeys: key.text, logger: silent, background: { minutes: 1 } });
  const app = new Hono().all("/api/aiki", handler);
  const describe = async (context?: { waitUntil(): void; passThroughOnException(): void; props: object }) => {
    const { headers, body } = await signedPush(key, URL_, describePush());
    const init = { method: "POST", headers: { ...headers, host: "app.test" }, body: body as string };
    const { manifest } = await (await app.request(URL_, init, ENV, context)).json();
    return manifest.capabilities;
  };
  const context = { waitUntil() {}, passThroughOnException() {}, props: {} };
  expect(await describe(context)).toMatchObject({ backgroundMs: 60_000 });
  expect(await describe()).not.toHaveProperty("backgroundMs");
});
