import { serveAiki } from "@aikirun/hono";
import { albumV1, tripV1 } from "@examples/workflows";
import { serve } from "@hono/node-server";
import { Hono } from "hono";

const app = new Hono();
app.get("/", (context) => context.text("A Hono app. Its workflows are served at /api/aiki.\n"));
app.all("/api/aiki", serveAiki([albumV1, tripV1]));

serve({ fetch: app.fetch, port: Number(process.env["PORT"] ?? 3002) }, ({ port }) => {
  console.log(`hono ready http://localhost:${port}/api/aiki`);
});
