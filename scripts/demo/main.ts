/**
 * `npm run demo`: an orchestrator with its own Postgres, three apps, five workflows. In the middle the orchestrator is killed
 * with -9 and started again. Ends with exit code 0 when everything came out right. `--stay` leaves it all running.
 */
import { type Client, client } from "@aikirun/client";
import { sleep } from "../processes.js";
import { order, type Scene, scenes } from "./scenes.js";
import { type App, Stage } from "./stage.js";
import { type Moment, momentsOf, timeline } from "./timeline.js";

const PATIENCE_MS = 60_000;
const POLL_MS = 50;

interface Started {
  readonly scene: Scene;
  readonly id: string;
}

const stay = process.argv.includes("--stay");
const unknown = process.argv.slice(2).filter((argument) => argument !== "--stay");
if (unknown.length > 0) {
  console.error(`The demo knows one option, --stay, and was given ${unknown.join(" ")}.`);
  process.exit(2);
}

const stage = await Stage.open();
let closing: Promise<void> | undefined;
/** Everything has been shown, and stays for somebody to look at. */
let remaining = false;
const close = (): Promise<void> => {
  closing ??= stage.close();
  return closing;
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // Ctrl-C in a terminal can come twice, from the terminal and from the program that started this one.
  process.on(signal, () => void close().finally(() => process.exit(remaining ? 0 : 130)));
}

try {
  const aiki = client({ url: stage.url });
  const moments: Moment[] = [];
  const apps = await setUp();
  const started = await startRuns(aiki);
  await killAndRestart(aiki, started, moments);
  const right = await finish(aiki, started);
  for (const { scene, id } of started) moments.push(...(await historyOf(aiki, scene, id)));
  say(`What happened, second by second:\n\n${timeline(moments)}\n`);
  const allRight = report(right);
  if (stay) await remain(apps);
  process.exitCode = allRight ? 0 : 1;
} catch (error) {
  if (!closing) console.error(`\nThe demo failed. ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await close();
}

async function setUp(): Promise<App[]> {
  say("Starting the orchestrator with a Postgres of its own ...");
  await stage.startOrchestrator();
  say(`  ${stage.url}\n`);
  say("Building the Next.js app and starting it beside the Express and the Hono app (about 15 seconds) ...");
  const apps = await stage.startApps();
  say("\nRegistering their routes:");
  for (const { name, url } of apps.flatMap(({ endpoints }) => endpoints)) {
    say(`  aiki endpoints register ${url} --name ${name}`);
    await stage.aiki("endpoints", "register", url, "--name", name);
  }
  say(`\n${await stage.aiki("endpoints", "list")}`);
  return apps;
}

async function startRuns(aiki: Client): Promise<Started[]> {
  say("\nStarting five runs:");
  const started: Started[] = [];
  for (const scene of scenes) {
    started.push({ scene, id: await scene.start(aiki) });
    say(`  ${scene.title} (${scene.servedBy})`);
  }
  return started;
}

async function killAndRestart(aiki: Client, started: readonly Started[], moments: Moment[]): Promise<void> {
  const parent = started.find(({ scene }) => scene === order)?.id ?? "";
  await until("the courier is on the road", async () => {
    const child = (await aiki.listRuns({ parent })).runs[0];
    return child !== undefined && (await aiki.getRun(child.id)).waitsFor.some(({ kind }) => kind === "sleep");
  });
  say("\nThe courier is on the road, and the orchestrator gets a kill -9.");
  moments.push({ at: Date.now(), who: undefined, what: "orchestrator killed with -9" });
  await stage.killOrchestrator();
  say("It is gone; the runs are rows in Postgres. Starting it again on the same data ...");
  await stage.startOrchestrator();
  moments.push({ at: Date.now(), who: undefined, what: "orchestrator ready again" });
}

/** Waits for every run and says which came out right. */
async function finish(aiki: Client, started: readonly Started[]): Promise<Map<Scene, boolean>> {
  say("Waiting for the runs to end ...\n");
  const right = new Map<Scene, boolean>();
  for (const { scene, id } of started) {
    const { run } = await aiki.waitForEnd(id, { timeoutMs: PATIENCE_MS });
    const output = run.output as Readonly<Record<string, unknown>> | undefined;
    const asExpected = Object.entries(scene.output).every(
      ([key, value]) => JSON.stringify(output?.[key]) === JSON.stringify(value),
    );
    right.set(scene, run.status === "completed" && asExpected);
  }
  return right;
}

async function historyOf(aiki: Client, scene: Scene, id: string): Promise<Moment[]> {
  const run = await aiki.getRun(id);
  const { records } = await aiki.readHistory(id, { limit: 1_000 });
  const who = `${scene.name} (${scene.servedBy})`;
  const moments = [{ at: run.createdAt, who, what: "started" }, ...momentsOf(who, records)];
  for (const child of (await aiki.listRuns({ parent: id })).runs) {
    const { records } = await aiki.readHistory(child.id, { limit: 1_000 });
    moments.push(...momentsOf(`courier of ${scene.name} (Express)`, records));
  }
  return moments;
}

function report(right: ReadonlyMap<Scene, boolean>): boolean {
  for (const [scene, ok] of right) say(`  ${ok ? "ok  " : "WRONG"} ${scene.title} (${scene.servedBy})`);
  const all = [...right.values()].every(Boolean);
  say(all ? "\nAll runs completed, through three frameworks and a kill -9." : "\nNot every run came out right.");
  return all;
}

async function remain(apps: readonly App[]): Promise<void> {
  say("\nEverything stays up until Ctrl-C:");
  say(`  orchestrator  ${stage.url}`);
  for (const { name, url } of apps) say(`  ${name.padEnd(12)}  ${url}`);
  say(`\n  AIKI_URL=${stage.url} npx aiki runs list`);
  remaining = true;
  await new Promise(() => setInterval(() => {}, 60_000));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`After ${PATIENCE_MS / 1000} s it is still not true that ${what}.`);
    await sleep(POLL_MS);
  }
}

function say(text: string): void {
  console.log(text);
}
