import { afterEach, expect, test } from "vitest";
import { client } from "../src/index.js";
import { answer, orchestrator, type Respond } from "./orchestrator.js";

let stop: (() => Promise<void>) | undefined;
afterEach(() => stop?.());

async function serve(respond: Respond) {
  const server = await orchestrator(respond);
  stop = server.stop;
  return { ...server, aiki: client({ url: server.url }) };
}

const run = (status: string) => ({ id: "run_1", status, output: { ok: true } });

test("polls again while the run goes on, and outlives an outage", async () => {
  const { aiki, seen } = await serve((_, response, count) => {
    if (count === 1) return answer(response, 200, { ended: false, run: run("running") });
    if (count === 2) return void response.destroy();
    answer(response, 200, { ended: true, run: run("completed") });
  });
  expect(await aiki.waitForEnd("run_1", {})).toEqual({ ended: true, run: run("completed") });
  expect(seen.map((request) => request.url)).toEqual(Array(3).fill("/v1/runs/run_1/wait?timeoutMs=60000"));
});

test("a timeout is shared by all polls", async () => {
  const { aiki, seen } = await serve((request, response) => {
    const timeoutMs = Number(new URL(request.url, "http://host").searchParams.get("timeoutMs"));
    setTimeout(() => answer(response, 200, { ended: false, run: run("running") }), Math.min(timeoutMs, 100));
  });
  const result = await aiki.waitForEnd("run_1", { timeoutMs: 1_000 });
  expect(result).toEqual({ ended: false, run: run("running") });
  expect(seen.length).toBeGreaterThan(1);
});

test("a timeout of 0 asks once how things stand", async () => {
  const { aiki, seen } = await serve((_, response) => answer(response, 200, { ended: false, run: run("queued") }));
  expect(await aiki.waitForEnd("run_1", { timeoutMs: 0 })).toEqual({ ended: false, run: run("queued") });
  expect(seen).toHaveLength(1);
});

test("a timeout ends the wait even when the server does not answer", async () => {
  const { aiki } = await serve(() => {});
  await expect(aiki.waitForEnd("run_1", { timeoutMs: 50 })).rejects.toMatchObject({ code: "ORCHESTRATOR_UNREACHABLE" });
});

test("a signal gives the wait up", async () => {
  const { aiki } = await serve(() => controller.abort());
  const controller = new AbortController();
  const wait = aiki.waitForEnd("run_1", { signal: controller.signal });
  await expect(wait).rejects.toMatchObject({ code: "ABORTED" });
});

test("an unknown run is an error, not a wait", async () => {
  const { aiki } = await serve((_, response) =>
    answer(response, 404, { error: { code: "NOT_FOUND", message: "no run" } }),
  );
  await expect(aiki.waitForEnd("run_1", {})).rejects.toMatchObject({ code: "NOT_FOUND" });
});
