/** Real apps that give their workflows a context and a pino logger, pushed by a real orchestrator on Postgres. */
import type { AddressInfo } from "node:net";
import { serveAiki as serveExpress } from "@aikirun/express";
import { serveAiki as serveHono } from "@aikirun/hono";
import { event, task, workflow } from "@aikirun/workflow";
import { serve } from "@hono/node-server";
import express from "express";
import { Hono } from "hono";
import pino from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { type Orchestrator, startOrchestrator } from "../orchestrator.js";

interface Shop {
  readonly stock: { take(item: string): number };
  readonly requestedBy: string;
}

const pack = task({
  name: "pack",
  retry: { type: "fixed", maxAttempts: 3, delayMs: 1 },
  async handler(item: string, { attempt, logger }) {
    logger.info("packing");
    if (attempt === 1) throw new Error("the box broke");
    return `${item} packed`;
  },
});
function orders(name: string) {
  return workflow<Shop>({ name }).v("1", {
    schema: { input: z.object({ item: z.string().trim() }) },
    async handler(run, { item }) {
      run.logger.info({ item }, "ordered");
      const packed = await pack.start(run, item);
      run.logger.info("packed");
      // Ends without asking for anything more, before the run does.
      const note = run.sleep("note", 10).then(() => run.logger.info("noted"));
      const { data } = await run.events.paid.wait();
      await note;
      run.logger.info("paid");
      return { packed, left: run.context.stock.take(item), by: run.context.requestedBy, paid: data.at.toISOString() };
    },
    events: { paid: event({ schema: z.object({ at: z.coerce.date() }) }) },
  });
}
const [onHono, onExpress] = [orders("orders-hono"), orders("orders-express")];

interface Line {
  readonly run?: string;
  readonly msg: string;
}
const lines: Line[] = [];
const logger = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line)) });
const left = new Map<string, number>();
const stock: Shop["stock"] = {
  take(item) {
    const now = (left.get(item) ?? 10) - 1;
    left.set(item, now);
    return now;
  },
};

let orchestrator: Orchestrator;
const stops: (() => void)[] = [];
/** Runs whose contexts were made, in order; what the next ones throw. */
let made: string[] = [];
let broken: Error | undefined;

beforeAll(async () => {
  orchestrator = await startOrchestrator();
  const env = { AIKI_URL: orchestrator.url };
  const hono = new Hono<{ Bindings: Record<string, unknown> }>();
  const honoHandler = serveHono([onHono], {
    logger,
    async context({ id, name, versionId }, bindings) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (broken) throw broken;
      made.push(id);
      return { stock, requestedBy: `${name}@${versionId} ${bindings && "AIKI_URL" in bindings}` };
    },
  });
  hono.all("/api/aiki", (c) => {
    Object.assign(c.env, env);
    return honoHandler(c);
  });
  const honoServer = serve({ fetch: hono.fetch, port: 0 });
  await new Promise((resolve) => honoServer.once("listening", resolve));

  const app = express();
  app.use(express.json());
  process.env["AIKI_URL"] = orchestrator.url;
  app.use("/api/aiki", serveExpress([onExpress], { logger, context: { stock, requestedBy: "express" } }));
  const expressServer = app.listen(0);
  await new Promise((resolve) => expressServer.once("listening", resolve));
  stops.push(
    () => honoServer.close(),
    () => expressServer.close(),
  );
  for (const server of [honoServer, expressServer]) {
    const { port } = server.address() as AddressInfo;
    await orchestrator.aiki.registerEndpoint({ url: `http://localhost:${port}/api/aiki` });
  }
});
afterAll(async () => {
  delete process.env["AIKI_URL"];
  for (const stop of stops) stop();
  await orchestrator.stop();
});
beforeEach(() => {
  lines.length = 0;
  made = [];
  broken = undefined;
});

describe("run.context and a pino logger", () => {
  it.each([
    ["Hono, made by a function", onHono, "orders-hono@1 true"],
    ["Express, a value", onExpress, "express"],
  ])("reach the handlers of an app with %s", async (_what, version, requestedBy) => {
    const handle = await version.start(orchestrator.aiki, { item: " tea " });
    await expect.poll(() => lines.some(({ msg }) => msg === "noted"), { timeout: 20_000 }).toBe(true);
    await handle.events.paid.send({ at: new Date(0) });
    expect(await handle.waitForStatus("completed")).toMatchObject({
      success: true,
      state: {
        output: { packed: "tea packed", left: expect.any(Number), by: requestedBy, paid: "1970-01-01T00:00:00.000Z" },
      },
    });
    const bound = { run: handle.id, workflow: `${version.name}@1` };
    const own = lines.filter(({ run }) => run === handle.id);
    expect(own.map(({ msg }) => msg)).toEqual(["ordered", "packing", "packing", "packed", "noted", "paid"]);
    expect(own[0]).toMatchObject({ ...bound, item: "tea", level: 30 });
    expect(own.slice(1, 3)).toMatchObject([
      { ...bound, task: "pack", taskAttempt: 1 },
      { ...bound, task: "pack", taskAttempt: 2 },
    ]);
  });

  it("is made once for each invocation", async () => {
    const handle = await onHono.start(orchestrator.aiki, { item: "tea" });
    await handle.events.paid.send({ at: new Date(0) });
    await handle.waitForStatus("completed");
    expect(made.length).toBeGreaterThan(2);
    expect(new Set(made)).toEqual(new Set([handle.id]));
  });

  it("that cannot be made keeps the run waiting, says so, and is made again later", async () => {
    broken = new Error("no database, and a secret");
    const handle = await onHono.start(orchestrator.aiki, { item: "coffee" });
    await expect
      .poll(async () => (await handle.refresh()).trouble?.message, { timeout: 20_000 })
      .toMatch(
        /answered 503 CONTEXT_FAILED: The function given as `context` threw for orders-hono@1\. Nothing was executed/,
      );
    const { status, records, trouble } = await handle.refresh();
    expect({ records, code: trouble?.code, ended: status === "failed" }).toEqual({
      records: 0,
      code: "BUSY",
      ended: false,
    });
    expect(JSON.stringify(trouble)).not.toContain("secret");
    expect(lines.find((line) => line.msg.includes("could not be made"))).toMatchObject({
      level: 50,
      code: "CONTEXT_FAILED",
      err: { type: "Error", message: "no database, and a secret" },
    });
    broken = undefined;
    await handle.events.paid.send({ at: new Date(0) });
    expect(await handle.waitForStatus("completed")).toMatchObject({ success: true });
  });
});
