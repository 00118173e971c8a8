import { setTimeout as delay } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import type { Program } from "../../scripts/processes.js";
import { Random } from "../../server/simulation/random.js";
import { longTests } from "../long.js";
import { stage } from "./stage.js";
import { chainV1 } from "./workflows.js";

const TIMEOUT_MS = 600_000;
const RUNS = longTests ? 500 : 60;
const FAULTS = longTests ? 30 : 8;
const TASKS = 12;
const WORKERS = 3;

it(`${RUNS} runs complete while workers and orchestrators are killed at random, each task recorded once`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed);
  const { orchestrators, startOrchestrator, crew, close } = await stage(2);
  onTestFinished(close);
  const { aiki, startWorker, told, completed } = await crew();
  const workers: Program[] = await Promise.all(Array.from({ length: WORKERS }, () => startWorker()));
  const start = () => chainV1.start(aiki, { tasks: TASKS, workMs: 120 });
  const runs = await Promise.all(Array.from({ length: RUNS }, start));
  let killed = 0;
  for (let i = 0; i < FAULTS; i++) {
    await delay(random.int(200, 1_500));
    if (random.chance(0.6)) {
      killed += 1;
      const victim = random.int(0, WORKERS - 1);
      await workers[victim]?.kill();
      workers[victim] = await startWorker();
    } else {
      const victim = random.int(0, 1);
      await orchestrators[victim]?.kill();
      await startOrchestrator(victim);
    }
  }
  for (const { id } of runs) await completed(id, (TASKS * (TASKS + 1)) / 2, TASKS);
  const executions = runs.reduce((sum, { id }) => sum + told(id).length, 0);
  console.info(`seed ${seed}: ${killed} workers and ${FAULTS - killed} orchestrators killed, ${executions} executions`);
  // At most what each killed worker had in hand, and what an answer on its way to a killed orchestrator had done.
  expect(executions).toBeGreaterThanOrEqual(RUNS * TASKS);
  expect(executions - RUNS * TASKS).toBeLessThan(FAULTS * 10 * WORKERS);
});
