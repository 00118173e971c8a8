/** Apps whose settings or middleware keep Aiki's code from trusting a push. */

import { serveAiki } from "@aikirun/express";
import express from "express";
import { describe, expect, test } from "vitest";
import { app, hello, listen, operator, orchestrator } from "./stage.js";

test("KEYS_MISSING: nothing is configured in production; the rest of the app runs on, and the advice helps", async () => {
  const { aiki } = await orchestrator();
  const text =
    "KEYS_MISSING This app does not know which orchestrator to trust. Set AIKI_PUBLIC_KEYS (print it with `aiki keys public`) or AIKI_URL.";
  const { origin, url, log } = await app([hello], { NODE_ENV: "production" });
  const registered = await aiki("endpoints", "register", url);
  expect(registered).toEqual({ code: 1, stdout: "", stderr: `${text}\n` });
  expect(log).toEqual([text]);
  expect(await (await fetch(origin)).text()).toBe("the rest of the app");

  const printed = (await aiki("keys", "public")).stdout.trim();
  const mended = await app([hello], { NODE_ENV: "production", AIKI_PUBLIC_KEYS: printed });
  expect(await aiki("endpoints", "register", mended.url)).toMatchObject({ code: 0, stderr: "" });
});

test("AUDIENCE_MISMATCH: the app is configured for another URL than the one that is registered", async () => {
  const { aiki, url: AIKI_URL } = await orchestrator();
  const configured = "https://app.example.com/api/aiki";
  const { url, log } = await app([hello], { AIKI_URL, AIKI_ENDPOINT_URL: configured });
  const text = `AUDIENCE_MISMATCH Registered as ${url}, but this app sees itself as ${configured}. Set AIKI_ENDPOINT_URL=${url} here, or register the other URL.`;
  const registered = await aiki("endpoints", "register", url);
  expect(registered).toEqual({ code: 1, stdout: "", stderr: `${text}\n` });
  expect(log).toEqual([text]);
});

/** An Express app with one middleware before Aiki. */
async function behind(middleware: express.RequestHandler, publicKeys: string) {
  const { logger, log } = operator();
  const made = express();
  made.use(middleware);
  made.use("/api/aiki", serveAiki([hello], { publicKeys, logger }));
  return { url: `${await listen(made)}/api/aiki`, log };
}

test("BODY_ALREADY_PARSED: a body parser of every media type is mounted first", async () => {
  const { aiki } = await orchestrator();
  const keys = (await aiki("keys", "public")).stdout.trim();
  const { url, log } = await behind(express.json({ type: "*/*" }), keys);
  const text =
    'BODY_ALREADY_PARSED A body parser ran before Aiki, so the signature cannot be checked. Mount serveAiki before express.json({ type: "*/*" }), or exclude /api/aiki from it.';
  const registered = await aiki("endpoints", "register", url);
  expect(registered).toEqual({ code: 1, stdout: "", stderr: `${text}\n` });
  expect(log).toEqual([text]);
});

describe("SIGNATURE_INVALID", () => {
  test("for keys of another orchestrator: the answer says nothing, the app's log everything", async () => {
    const [mine, another] = [await orchestrator(), await orchestrator()];
    const trusted = (await another.aiki("keys", "public")).stdout.trim();
    const kidOf = async (api: typeof mine.api) => (await api.publicKeys())[0]?.["kid"];
    const { url, log } = await app([hello], { AIKI_PUBLIC_KEYS: trusted });
    const registered = await mine.aiki("endpoints", "register", url);
    expect(registered).toEqual({
      code: 1,
      stdout: "",
      stderr: "UNAUTHENTICATED_PUSH This push was not accepted. The app's log says why.\n",
    });
    expect(log).toEqual([
      `SIGNATURE_INVALID Key kid="${await kidOf(mine.api)}" is not among the keys of AIKI_PUBLIC_KEYS (${await kidOf(another.api)}). Another orchestrator, or keys were rotated: aiki keys public.`,
    ]);
  });

  test("for a body that something wrote anew", async () => {
    const { aiki } = await orchestrator();
    const keys = (await aiki("keys", "public")).stdout.trim();
    const rewrite: express.RequestHandler = (request, _response, next) => {
      express.text({ type: "*/*" })(request, _response, () => {
        request.body = JSON.stringify(JSON.parse(request.body), null, 2);
        next();
      });
    };
    const { url, log } = await behind(rewrite, keys);
    const text =
      "SIGNATURE_INVALID The body changed on the way: what arrived is not what was signed. Exempt this route from whatever rewrites request bodies in front of it.";
    const registered = await aiki("endpoints", "register", url);
    expect(registered).toEqual({ code: 1, stdout: "", stderr: `${text}\n` });
    expect(log).toEqual([text]);
  });
});

test("BODY_TRUNCATED: something let through only the first bytes", async () => {
  const { aiki } = await orchestrator();
  const keys = (await aiki("keys", "public")).stdout.trim();
  let announced = 0;
  const cut: express.RequestHandler = (request, response, next) => {
    express.raw({ type: "*/*" })(request, response, () => {
      announced = request.body.length;
      request.body = request.body.subarray(0, 100);
      next();
    });
  };
  const { url, log } = await behind(cut, keys);
  const registered = await aiki("endpoints", "register", url);
  const text = `BODY_TRUNCATED The body changed on the way: ${announced} bytes announced, 100 received. Exempt this route from whatever cuts request bodies in front of it.`;
  expect(announced).toBeGreaterThan(100);
  expect(registered).toEqual({ code: 1, stdout: "", stderr: `${text}\n` });
  expect(log).toEqual([text]);
});

test("VERSION_OWNED: a second app lists a version that another one serves; the advice helps", async () => {
  const { aiki, url: AIKI_URL } = await orchestrator();
  const first = await app([hello], { AIKI_URL });
  const second = await app([hello], { AIKI_URL });
  await aiki("endpoints", "register", first.url, "--name", "shop");
  expect(await aiki("endpoints", "register", second.url)).toEqual({
    code: 1,
    stdout: "",
    stderr: `VERSION_OWNED hello@1.0.0 is served by shop (${first.url}). Register with --name shop to move it, with --take-over to take its versions, or use a namespace of its own for a preview.\n`,
  });
  expect(await aiki("endpoints", "register", second.url, "--name", "shop")).toMatchObject({ code: 0, stderr: "" });
  expect(await aiki("endpoints", "register", first.url, "--take-over")).toMatchObject({ code: 0, stderr: "" });
});
