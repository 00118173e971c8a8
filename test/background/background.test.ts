import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../scripts/processes.js";
import { type Crew, SOON, type Stage, stage } from "../workers/stage.js";
import { stepsOf } from "./workflows.js";

const TIMEOUT = { timeout: 180_000 };
/** The invocation may last two seconds, and answers 202 after a quarter of that. */
const IN_BACKGROUND_MS = 1_500;

let on: Stage;
beforeAll(async () => {
  on = await stage(2);
});
afterAll(() => on?.close());

/** Starts an app and registers it. Its successor after a crash has its place. */
async function startApp(
  { startProgram, aiki }: Crew,
  { name, framework, backgroundS }: { name: string; framework: "express" | "hono"; backgroundS: number },
) {
  const port = await freePort();
  const env = { NAME: name, FRAMEWORK: framework, PORT: String(port), BACKGROUND_S: String(backgroundS) };
  const begin = () => startProgram("test/background/app.ts", /^listening/, env);
  const program = await begin();
  const url = `http://127.0.0.1:${port}/api/aiki`;
  const registered = await aiki.registerEndpoint({ url });
  expect(registered.backgroundMs).toBe(backgroundS * 1_000);
  return { program, begin, steps: stepsOf(name) };
}

it("a task may outlive its invocation, and is cancelled in the background; a dead app's run goes on after the deadline", {
  ...TIMEOUT,
}, async () => {
  const crew = await on.crew();
  const { aiki, told, completed } = crew;
  const [slow, cancelled, mortal] = await Promise.all([
    startApp(crew, { name: "slow", framework: "express", backgroundS: 60 }),
    startApp(crew, { name: "cancelled", framework: "hono", backgroundS: 600 }),
    startApp(crew, { name: "mortal", framework: "express", backgroundS: 7 }),
  ]);
  const long = await slow.steps.start(aiki, [3_000, 300, 2_500]);
  const doomed = await cancelled.steps.start(aiki, [600_000]);
  const orphan = await mortal.steps.start(aiki, [200, 3_000]);
  await expect.poll(() => [long, doomed, orphan].every(({ id }) => told(id).length > 0), SOON).toBe(true);
  await delay(IN_BACKGROUND_MS);

  await mortal.program.kill();
  const killedAt = performance.now();
  await mortal.begin();
  await doomed.cancel("not needed");
  await expect.poll(async () => (await aiki.getRun(doomed.id)).status, { timeout: 5_000 }).toBe("cancelled");
  // It records nothing, and asks now and then.
  await expect.poll(() => told(doomed.id).map(({ what }) => what), SOON).toEqual(["step", "aborted"]);

  await completed(long.id, 5_800, 3);
  expect(told(long.id).map(({ what, at }) => `${what} ${at}`)).toEqual(["step 0", "step 1", "step 2"]);

  await expect.poll(() => told(orphan.id).length, SOON).toBe(3);
  expect(performance.now() - killedAt).toBeGreaterThan(3_000);
  await completed(orphan.id, 3_200, 2);
  // What was recorded stays; what nobody knows the outcome of is done again.
  expect(told(orphan.id).map(({ at }) => at)).toEqual([0, 1, 1]);
});

it("what is brought is taken by whatever orchestrator is left, and each task runs once", TIMEOUT, async () => {
  const crew = await on.crew();
  const { aiki, told, completed } = crew;
  const [express, hono] = await Promise.all([
    startApp(crew, { name: "express", framework: "express", backgroundS: 120 }),
    startApp(crew, { name: "hono", framework: "hono", backgroundS: 120 }),
  ]);
  const runs = [
    await express.steps.start(aiki, [9_000]),
    await hono.steps.start(aiki, [2_000, 2_000, 2_000, 2_000]),
    await hono.steps.start(aiki, [5_000, 100]),
  ];
  await expect.poll(() => runs.every(({ id }) => told(id).length > 0), SOON).toBe(true);
  await delay(IN_BACKGROUND_MS);
  for (const i of [0, 1]) {
    await on.orchestrators[i]?.kill();
    await on.startOrchestrator(i);
  }
  await completed(runs[0]?.id ?? "", 9_000, 1);
  await completed(runs[1]?.id ?? "", 8_000, 4);
  await completed(runs[2]?.id ?? "", 5_100, 2);
  expect(runs.map(({ id }) => told(id).map(({ at }) => at))).toEqual([[0], [0, 1, 2, 3], [0, 1]]);
});
