/**
 * The app under load, a process of its own: workflows at `/api/aiki`, and at `/floor` a route that answers like one task
 * without doing anything, on the same server and framework.
 */
import type { AddressInfo } from "node:net";
import { serveAiki } from "@aikirun/hono";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { all } from "./workflows.js";

const app = new Hono();
app.all("/api/aiki", serveAiki(all));
app.post("/floor", async (context) => {
  const body = (await context.req.json()) as { answer: unknown };
  return context.json(body.answer);
});

const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => {
  console.log(`listening ${(server.address() as AddressInfo).port}`);
});
server.on("connection", (socket) => socket.setNoDelay(true));
