/** What stands on a run, as `aiki runs get` shows it. */
import { event, task, workflow } from "@aikirun/workflow";
import { expect, test, vi } from "vitest";
import { app, type Orchestrator, orchestrator } from "./stage.js";

test("WORKFLOW_NOT_SERVED: a version that no app serves", async () => {
  const person = await orchestrator();
  const checkout = workflow({ name: "checkout" }).v("1.0.0", { handler: async () => "paid" });
  const { url } = await app([checkout], { AIKI_URL: person.url });
  await person.aiki("endpoints", "register", url);

  const { id, stderr } = await startRun(person, "checkout@1.1.0");
  expect(stderr).toBe("Nobody serves checkout@1.1.0 yet. The run waits until somebody does.\n");
  const text = await shown(person, id, "queued", "WORKFLOW_NOT_SERVED");
  expect(text).toBe(`run        ${id}
workflow   checkout@1.1.0
status     queued
created    DATE
waits for  endpoint checkout@1.1.0
trouble    WORKFLOW_NOT_SERVED Nobody serves checkout@1.1.0. Served: checkout@1.0.0 (${url}). Add it to serveAiki([...]) and deploy, start a worker that has it, or ask its endpoint again: aiki endpoints refresh ${url}. The run waits. (DATE)
`);
  const without = await person.aiki("runs", "start", "refund");
  expect(without).toEqual({
    code: 1,
    stdout: "",
    stderr: `WORKFLOW_NOT_SERVED Nobody serves refund. Served: checkout@1.0.0 (${url}). Add it to serveAiki([...]), or name a version to let the run wait.\n`,
  });
});

test("NON_DETERMINISM: the code was changed between two pushes of a run", async () => {
  const person = await orchestrator();
  const charged: number[] = [];
  const charge = task({ name: "charge-card", handler: ({ cents }: { cents: number }) => void charged.push(cents) });
  let cents = 999;
  const checkout = workflow({ name: "checkout" }).v("1.0.0", {
    async handler(run) {
      await charge.start(run, { cents });
      await run.events.delivered.wait();
    },
    events: { delivered: event() },
  });
  const { url } = await app([checkout], { AIKI_URL: person.url });
  await person.aiki("endpoints", "register", url);
  const { id } = await startRun(person, "checkout");
  await vi.waitUntil(async () => (await person.api.getRun(id)).status === "suspended", POLL);

  cents = 1000;
  await person.aiki("runs", "send-event", id, "delivered");
  const text = await shown(person, id, "stalled", "NON_DETERMINISM");
  expect(text.replace(/\(input [0-9a-f]{8}\)/g, "(input HASH)")).toBe(`run        ${id}
workflow   checkout@1.0.0
status     stalled
created    DATE
trouble    NON_DETERMINISM Run ${id} no longer fits the code. Recorded but not asked for: task charge-card #1 (input HASH), event delivered #1. Asked for instead: task charge-card {"cents":1000}. Nothing was executed. Put back what checkout@1.0.0 asked for, or serve this change as a new version. (DATE)
recorded   task charge-card #1 (input HASH)
recorded   event delivered #1
asked for  task charge-card {"cents":1000}
`);
  expect(charged).toEqual([999]);

  cents = 999;
  expect((await person.aiki("runs", "requeue", id)).stdout).toContain(`Requeued ${id}.`);
  await vi.waitUntil(async () => (await person.api.getRun(id)).status === "completed", POLL);
  expect(charged).toEqual([999]);
});

test.each([
  { returned: { id: 1, save: () => {} }, fault: "$.save is a function" },
  { returned: { orders: [{ n: 10n }] }, fault: "$.orders[0].n is a bigint" },
])("NOT_SERIALIZABLE: a task returns a value of which $fault", async ({ returned, fault }) => {
  const person = await orchestrator();
  const load = task({ name: "load-user", handler: (): object => returned });
  const greet = workflow({ name: "greet" }).v("1.0.0", { handler: async (run) => void (await load.start(run)) });
  const { url } = await app([greet], { AIKI_URL: person.url });
  await person.aiki("endpoints", "register", url);

  const { code, stdout } = await person.aiki("runs", "start", "greet", "--watch");
  expect(code).toBe(1);
  const text = `Task load-user returned a value that JSON cannot hold: ${fault}. Use plain data.`;
  expect(stdout).toMatch(/✗ task {3}load-user +attempt 1 failed: NOT_SERIALIZABLE Task load-user returned a value/);
  expect(titles(stdout)).toEqual([
    `TaskFailedError: Task load-user failed after 1 attempt: ${text}`,
    `  caused by NOT_SERIALIZABLE ${text}`,
  ]);
});

test("OUT_OF_TIME: a task takes longer than the host allows", async () => {
  const person = await orchestrator();
  const slow = task({
    name: "slow",
    handler: (_input: undefined, { signal }) =>
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
  });
  const report = workflow({ name: "report" }).v("1.0.0", { handler: (run) => slow.start(run) });
  const { url } = await app([report], { AIKI_URL: person.url }, { maxDuration: { seconds: 1 } });
  await person.aiki("endpoints", "register", url);

  const { code, stdout } = await person.aiki("runs", "start", "report", "--watch");
  expect(code).toBe(1);
  const text =
    "Task slow had not ended when the host's time ran out. Give the endpoint a longer maxDuration, or split the task.";
  expect(titles(stdout)).toEqual([
    `TaskFailedError: Task slow failed after 1 attempt: ${text}`,
    `  caused by OUT_OF_TIME ${text}`,
  ]);
});

const POLL = { timeout: 10_000, interval: 20 };

async function startRun({ aiki }: Orchestrator, workflow: string): Promise<{ id: string; stderr: string }> {
  const { stdout, stderr } = await aiki("runs", "start", workflow);
  return { id: /run_\w{26}/.exec(stdout)?.[0] ?? stdout, stderr };
}

/** What `aiki runs get` shows once the run is in this trouble, its instants replaced. */
async function shown({ api, aiki }: Orchestrator, id: string, status: string, trouble: string): Promise<string> {
  const looked = async () => {
    const run = await api.getRun(id);
    return run.status === status && run.trouble?.code === trouble;
  };
  await vi.waitUntil(looked, POLL);
  const { code, stdout, stderr } = await aiki("runs", "get", id);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE");
}

/** Of an error and its causes, without their stacks. */
function titles(output: string): string[] {
  const after = output.slice(output.lastIndexOf("\nfailed after "));
  return after.split("\n").filter((line) => line !== "" && !/^failed after |^ {4}at /.test(line));
}
