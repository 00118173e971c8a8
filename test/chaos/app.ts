/**
 * The app under test, a process of its own: serves the workflows at `/api/aiki`, and appends every push that arrives and
 * every task that starts to the file in `LOG`, synchronously, before anything else is done about it.
 */
import { appendFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { serveAiki } from "@aikirun/hono";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import type { Push } from "./side-effects.js";
import { chainV1, currentPush, effects } from "./workflows.js";

const log = process.env["LOG"];
if (log === undefined) throw new Error("LOG names no file");
effects.append = (entry) => appendFileSync(log, `${JSON.stringify(entry)}\n`);

const app = new Hono();
const handler = serveAiki([chainV1]);
app.all("/api/aiki", (context) => {
  const push = pushOf(context.req.header("authorization"));
  if (!push) return handler(context);
  effects.append({ type: "push", ...push });
  return currentPush.run(push, () => handler(context));
});

/** Undefined for what is no push of a run. The SDK verifies the token; this only reads it. */
function pushOf(authorization: string | undefined): Push | undefined {
  const payload = authorization?.split(".")[1];
  if (payload === undefined) return undefined;
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as Record<
    "sub" | "jti" | "iss",
    string
  > & {
    gen: number;
  };
  if (!claims.sub.startsWith("run_")) return undefined;
  return { runId: claims.sub, pushId: claims.jti, gen: claims.gen, from: claims.iss };
}

const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => {
  console.log(`listening ${(server.address() as AddressInfo).port}`);
});
