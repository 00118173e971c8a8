import { type Client, client } from "@aikirun/client";
import { serveAiki } from "@aikirun/hono";
import { courierRideV1, orderV1 } from "@examples/workflows";
import { Hono } from "hono";

/** Vars and secrets. On your own machine none is needed. */
interface Bindings {
  readonly AIKI_PUBLIC_KEYS?: string;
  readonly AIKI_URL?: string;
  readonly AIKI_API_KEY?: string;
}

const app = new Hono<{ Bindings: Bindings }>();
app.get("/", (c) => c.text("A Worker. Its workflows are served at /api/aiki.\n"));
app.all("/api/aiki", serveAiki([orderV1, courierRideV1]));

/** Workers hand their settings to each request, and not to the process. */
function aikiOf({ AIKI_URL, AIKI_API_KEY }: Bindings): Client {
  return client({ url: AIKI_URL, apiKey: AIKI_API_KEY });
}

app.post("/orders", async (c) => {
  const { order, guest } = await c.req.json<{ order: string; guest: string }>();
  const times = { acceptWithin: { minutes: 5 }, ride: { seconds: 1 }, surveyAfter: { seconds: 1 } };
  const handle = await orderV1.start(aikiOf(c.env), { order, guest, ...times });
  return c.json({ run: handle.id }, 201);
});

app.post("/orders/:run/accept", async (c) => {
  const { minutes } = await c.req.json<{ minutes: number }>();
  const handle = await orderV1.getHandleById(aikiOf(c.env), c.req.param("run"));
  await handle.events.accepted.send({ minutes });
  return c.body(null, 204);
});

/** Waits for the order's end, at most ten seconds. */
app.get("/orders/:run", async (c) => {
  const handle = await orderV1.getHandleById(aikiOf(c.env), c.req.param("run"));
  const result = await handle.waitForStatus("completed", { timeout: { seconds: 10 } });
  return result.success ? c.json(result.state.output) : c.json({ status: handle.run.status }, 202);
});

export default app;
