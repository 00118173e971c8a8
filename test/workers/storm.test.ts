import { setTimeout as delay } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { freePort, type Program } from "../../scripts/processes.js";
import { Random } from "../../server/simulation/random.js";
import { longTests } from "../long.js";
import { stage } from "./stage.js";
import { chainV1 } from "./workflows.js";

const TIMEOUT_MS = 600_000;
const RUNS = longTests ? 500 : 60;
const FAULTS = longTests ? 30 : 8;
const TASKS = 12;
/** Programs that run tasks, and how many tasks each has in hand at most. */
const FORCES = {
  workers: { checkpoints: "on", programs: 3, tasks: 10 },
  "an endpoint with checkpoints": { checkpoints: "on", programs: 1, tasks: 30 },
  "an endpoint, step by step,": { checkpoints: "off", programs: 1, tasks: 30 },
} as const;

it.each(Object.keys(FORCES) as (keyof typeof FORCES)[])(
  `${RUNS} runs complete while %s and orchestrators are killed at random, each task recorded once`,
  { timeout: TIMEOUT_MS },
  async (force) => {
    const { checkpoints, programs, tasks } = FORCES[force];
    const seed = Date.now() % 1_000_000;
    const random = new Random(seed);
    const { orchestrators, startOrchestrator, crew, close } = await stage(2, checkpoints);
    onTestFinished(close);
    const { aiki, startWorker, startProgram, told, completed } = await crew();
    const port = String(await freePort());
    const startOne = () =>
      force === "workers"
        ? startWorker()
        : startProgram("test/workers/endpoint.ts", /^serving/, { PORT: port, NODE_ENV: "production" });
    const running: Program[] = await Promise.all(Array.from({ length: programs }, startOne));
    if (force !== "workers") {
      await aiki.registerEndpoint({ url: `http://127.0.0.1:${port}/api/aiki`, name: "storm", concurrency: tasks });
    }
    const start = () => chainV1.start(aiki, { tasks: TASKS, workMs: 120 });
    const runs = await Promise.all(Array.from({ length: RUNS }, start));
    let killed = 0;
    for (let i = 0; i < FAULTS; i++) {
      await delay(random.int(200, 1_500));
      if (random.chance(0.6)) {
        killed += 1;
        const victim = random.int(0, programs - 1);
        await running[victim]?.kill();
        running[victim] = await startOne();
      } else {
        const victim = random.int(0, 1);
        await orchestrators[victim]?.kill();
        await startOrchestrator(victim);
      }
    }
    for (const { id } of runs) await completed(id, (TASKS * (TASKS + 1)) / 2, TASKS);
    const executions = runs.reduce((sum, { id }) => sum + told(id).length, 0);
    console.info(
      `seed ${seed}: ${killed} of ${force} and ${FAULTS - killed} orchestrators killed, ${executions} executions`,
    );
    // At most what each killed program had in hand, and what an answer on its way to a killed orchestrator had done.
    expect(executions).toBeGreaterThanOrEqual(RUNS * TASKS);
    expect(executions - RUNS * TASKS).toBeLessThan(FAULTS * programs * tasks);
  },
);
