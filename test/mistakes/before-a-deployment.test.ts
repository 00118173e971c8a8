/** What a person reads who checks new code before traffic moves to it. */
import { event, type ServableVersion, task, workflow } from "@aikirun/workflow";
import { expect, test, vi } from "vitest";
import { app, type Orchestrator, orchestrator } from "./stage.js";

const charged: number[] = [];
const charge = task({ name: "charge-card", handler: async ({ cents }: { cents: number }) => void charged.push(cents) });
const checkout = workflow({ name: "checkout" });
const charging = (cents: number, version = "1.0.0") =>
  checkout.v(version, {
    async handler(run) {
      await charge.start(run, { cents });
      await run.events.delivered.wait();
    },
    events: { delivered: event() },
  });

/** Runs in flight of `checkout@1.0.0`, served at `url`. */
async function inProduction(runs: number): Promise<{ person: Orchestrator; url: string; ids: readonly string[] }> {
  const person = await orchestrator();
  const { url } = await app([charging(999)], { AIKI_URL: person.url });
  await person.aiki("endpoints", "register", url);
  const started = Array.from({ length: runs }, () => person.api.startRun({ workflow: "checkout", version: "1.0.0" }));
  const ids = (await Promise.all(started)).map(({ run }) => run.id);
  const waits = async () => (await person.api.listRuns({ status: "suspended" })).runs.length === runs;
  await vi.waitUntil(waits, { timeout: 10_000, interval: 20 });
  charged.length = 0;
  return { person, url, ids };
}

async function preview(person: Orchestrator, ...versions: ServableVersion[]): Promise<string> {
  return (await app(versions, { AIKI_URL: person.url })).url;
}

/** What differs from run to run, replaced. */
function settled(text: string): string {
  return text
    .replace(/run_\w{26}/g, "RUN")
    .replace(/\(input [0-9a-f]{8}\)/g, "(input HASH)")
    .replace(/in [\d.]+ m?s,/g, "in TIME,")
    .replace(/\(@aikirun\/hono [\d.]+\)/g, "(SDK)");
}

test("aiki check: code that runs in flight do not fit, and a version that they need", async () => {
  const { person, url, ids } = await inProduction(2);
  const next = await preview(person, charging(1000));
  const { code, stdout, stderr } = await person.aiki("check", next);
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(ids).toContain(/run_\w{26}/.exec(stdout)?.[0]);
  expect(settled(stdout)).toBe(`${next} (SDK)
workflow        in flight  checked
checkout@1.0.0  2          2
✗ 2 of 2 runs of checkout@1.0.0 would diverge. Recorded but not asked for: task charge-card #1 (input HASH), event delivered #1. Asked for instead: task charge-card {"cents":1000}. For example RUN.
Do not move traffic there: 2 checked in TIME, no task was run. Serve the change as a new version beside the old one.
`);

  const without = await preview(person, charging(1000, "1.1.0"));
  const alone = await person.aiki("check", without, "--name", url);
  expect(alone.code).toBe(1);
  expect(settled(alone.stdout)).toContain(
    `✗ 2 runs of checkout@1.0.0 would have nobody to serve them: ${url} serves checkout@1.0.0 today, and this code does not list it.`,
  );

  const both = await preview(person, charging(999), charging(1000, "1.1.0"));
  const good = await person.aiki("check", both, "--name", url, "--sample", "1");
  expect({ code: good.code, stderr: good.stderr }).toEqual({ code: 0, stderr: "" });
  expect(settled(good.stdout)).toBe(`${both} (SDK)
workflow        in flight  checked
checkout@1.0.0  2          1
checkout@1.1.0  0          0
✓ No run that was checked would stop: 1 checked in TIME, no task was run.
`);
  expect(charged).toEqual([]);
});

test("WOULD_DIVERGE: a registration with --check", async () => {
  const { person, url } = await inProduction(1);
  const next = await preview(person, charging(1000));
  const refused = await person.aiki("endpoints", "register", next, "--name", url, "--check");
  expect({ ...refused, stderr: settled(refused.stderr) }).toEqual({
    code: 1,
    stdout: "",
    stderr: `WOULD_DIVERGE 1 of 1 run of checkout@1.0.0 would diverge. Recorded but not asked for: task charge-card #1 (input HASH), event delivered #1. Asked for instead: task charge-card {"cents":1000}. For example RUN. Nothing was registered. Serve the change as a new version, or register without the check.
`,
  });
  expect((await person.api.listEndpoints()).map((endpoint) => endpoint.url)).toEqual([url]);

  const both = await preview(person, charging(999), charging(1000, "1.1.0"));
  const done = await person.aiki("endpoints", "register", both, "--name", url, "--check");
  expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/serves +checkout@1\.0\.0, checkout@1\.1\.0\n/);
});
