import { client } from "@aikirun/client";
import { worker } from "@aikirun/worker";
import { expect, it, onTestFinished } from "vitest";
import { start } from "../../server/test/api/server.js";
import { testDatabase } from "../../server/test/store/database.js";
import { startPostgresProxy } from "../chaos/postgres-proxy.js";
import { countBy } from "../chaos/side-effects.js";
import { chainV1 } from "./workflows.js";

const TIMEOUT_MS = 120_000;
const TASKS = 60;
/** What an orchestrator asks whether or not there is work. */
const BACKGROUND =
  /^aiki_(claim_runs|claim_unserved|next_due_at|extend_leases)$|from "aiki"\."(endpoint|served_version|signing_key)"/;

async function measured(checkpoints: "on" | "off") {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const proxy = await startPostgresProxy(database.url);
  onTestFinished(() => proxy.close());
  const aiki = await start("dev", { settings: { DATABASE_URL: proxy.url, AIKI_CHECKPOINTS: checkpoints } });
  const api = client({ url: aiki.server.url });
  const running = await worker({ workflows: [chainV1] }).spawn(api);
  onTestFinished(() => running.stop());
  const requests = async () => {
    const { text } = await aiki.call("GET", "/metrics");
    const counted = [...text.matchAll(/^aiki_http_requests_total\{([^}]*)\} (\d+)$/gm)];
    const of = (path: string) =>
      counted.filter(([, labels]) => labels?.includes(path)).reduce((sum, [, , count]) => sum + Number(count), 0);
    return { polls: of("/v1/workers/poll"), answers: of("/v1/workers/answer"), checkpoints: of("/v1/checkpoints") };
  };
  return { aiki: api, proxy, requests };
}

it.each(["on", "off"] as const)(
  "60 sequential tasks cost an exchange and a statement each, checkpoints %s",
  {
    timeout: TIMEOUT_MS,
  },
  async (checkpoints) => {
    const { aiki, proxy, requests } = await measured(checkpoints);
    const warm = await chainV1.start(aiki, { tasks: 2, workMs: 0 });
    await warm.waitForStatus("completed");
    const [before, from] = [await requests(), proxy.executed.length];
    const handle = await chainV1.start(aiki, { tasks: TASKS, workMs: 0 });
    await handle.waitForStatus("completed");
    const statements = proxy.executed.slice(from).filter((statement) => !BACKGROUND.test(statement));
    const written = Object.fromEntries(countBy(statements, (statement) => statement));
    const { aiki_get_runs: _, ...work } = written;
    expect(work).toEqual({
      aiki_start_runs: 1,
      aiki_hold_for_callback: 1,
      aiki_commit_one: TASKS - 1,
      aiki_end_one: 1,
    });
    const after = await requests();
    expect(after.checkpoints - before.checkpoints).toBe(checkpoints === "on" ? TASKS - 1 : 0);
    expect(after.answers - before.answers).toBe(checkpoints === "on" ? 1 : TASKS);
    expect(after.polls - before.polls).toBeLessThanOrEqual(2);
  },
);

it("an idle worker has one request under way, and the orchestrator asks for it about once a second", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { requests, proxy } = await measured("on");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const from = proxy.executed.length;
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  // Counted once they have ended: the first one waits until twenty seconds are over.
  expect(await requests()).toEqual({ polls: 0, answers: 0, checkpoints: 0 });
  const asked = proxy.executed.slice(from).filter((statement) => statement === "aiki_claim_unserved");
  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(asked.length).toBeLessThanOrEqual(9);
});
