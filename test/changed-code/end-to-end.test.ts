/** The table of edits, for real: hundreds of runs recorded by one version of the code and continued by another one. */
import { type Client, client } from "@aikirun/client";
import type { CheckFinding, CheckResult, RunPage, RunSummary } from "@aikirun/protocol";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { aiki } from "../../sdk/cli/test/aiki.js";
import { startApp } from "../../server/test/api/app.js";
import { start } from "../../server/test/api/server.js";
import { testDatabase } from "../../server/test/store/database.js";
import { children, type Edit, edits, executed, versionOf } from "./edits.js";

const RUNS_OF_EACH = Math.ceil(400 / edits.length);
const RUNS = RUNS_OF_EACH * edits.length;
/** Only bounds how long a failure takes. */
const ALL = { timeout: 120_000, interval: 200 };

const before = edits.map((edit) => ({ edit, version: versionOf(edit, "before") }));
const after = edits.map((edit) => ({ edit, version: versionOf(edit, "after") }));
const editOf = new Map(before.map(({ edit, version }) => [version.name, edit]));
const served = (code: typeof before) => [...code.map(({ version }) => version), ...children];

beforeAll(() => {
  executed.length = 0;
});

test("safe edits complete, unsafe ones stop before anything is executed, and a check has said so", {
  timeout: 600_000,
}, async () => {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const orchestrator = await start("dev", { settings: { DATABASE_URL: database.url } });
  const api = client({ url: orchestrator.server.url });
  const app = await startApp(orchestrator.server.url, served(before));
  await api.registerEndpoint({ url: app.url });
  await startAll(api);
  await expect.poll(async () => (await list(api, "suspended")).length, ALL).toBe(RUNS);
  const recorded = executed.length;

  // The new code at a URL of its own, as a deployment has one before traffic moves.
  const preview = await startApp(orchestrator.server.url, served(after));
  const env = { AIKI_URL: orchestrator.server.url };
  const command = ["check", preview.url, "--name", app.url, "--sample", String(RUNS)];
  const checked = await aiki([...command, "--json"], { env });
  const result = JSON.parse(checked.stdout) as CheckResult;
  expect([checked.code, result.ok, checked.stderr]).toEqual([1, false, ""]);
  console.log(`aiki check: ${RUNS} runs in flight in ${result.elapsedMs} ms`);
  expect(checkedRuns(result)).toBe(RUNS);
  expect(fates(result.findings)).toEqual(
    Object.fromEntries(edits.filter(isUnsafe).map((edit) => [edit.name, edit.fate])),
  );
  for (const finding of result.findings) expectNamed(finding);
  expect(executed.length).toBe(recorded);

  const registering = api.registerEndpoint({ url: preview.url, name: app.url, check: true });
  await expect(registering).rejects.toMatchObject({ code: "WOULD_DIVERGE" });
  const same = await aiki(["check", app.url, "--sample", String(RUNS)], { env });
  expect([same.code, same.stderr]).toEqual([0, ""]);
  expect(same.stdout).toContain(`✓ No run that was checked would stop: ${RUNS} checked in`);

  // Traffic moves nevertheless: edit B at the URL where version A was.
  app.serve(served(after));
  await Promise.all((await list(api, "suspended")).map(({ id }) => api.sendEvent(id, { name: "go" })));
  const fits = edits.filter((edit) => edit.fate === "fits").length * RUNS_OF_EACH;
  const stops = edits.filter((edit) => edit.fate === "diverges" || edit.fate === "unasked").length * RUNS_OF_EACH;
  await expect.poll(async () => (await list(api, "stalled")).length, ALL).toBe(stops);
  await expect.poll(async () => (await list(api, "completed")).length, ALL).toBe(fits);
  expect(new Set((await list(api, "completed")).map(fateOf))).toEqual(new Set(["fits"]));
  const failed = await list(api, "failed");
  expect([failed.length, new Set(failed.map(fateOf))]).toEqual([RUNS - fits - stops, new Set(["fails"])]);
  const stalled = await list(api, "stalled");
  const touched = new Set(executed.slice(recorded).map(({ runId }) => runId));
  expect(stalled.filter(({ id }) => touched.has(id))).toEqual([]);
  expect((await api.getRun(stalled[0]?.id ?? "")).trouble).toMatchObject({
    code: "NON_DETERMINISM",
    message: expect.stringContaining("Nothing was executed."),
  });

  // The old code is put back, and what has stopped goes on from where it stood.
  app.serve(served(before));
  await Promise.all(stalled.map(({ id }) => api.requeueRun(id)));
  await expect.poll(async () => (await list(api, "completed")).length, ALL).toBe(fits + stops);
  // No side effect of an edit that repeats a call on purpose is among these: each call of a run was made once.
  const twice = executed.filter((one, i) => executed.findIndex((other) => isSame(one, other)) !== i);
  expect(new Set(twice.map(({ what }) => what))).toEqual(new Set(['charge {"cents":999}']));
  expect(twice.length).toBe(RUNS_OF_EACH);
});

const isUnsafe = (edit: Edit) => edit.fate !== "fits";
const isSame = (a: (typeof executed)[number], b: (typeof executed)[number]) => a.runId === b.runId && a.what === b.what;
const fateOf = (run: RunSummary) => editOf.get(run.workflow)?.fate ?? (run.workflow === "survey" ? "fits" : "unknown");
const checkedRuns = ({ versions }: CheckResult) => versions.reduce((sum, { checked }) => sum + checked, 0);

function fates(findings: readonly CheckFinding[]): Record<string, string> {
  expect(findings.map(({ runs }) => runs)).toEqual(findings.map(() => RUNS_OF_EACH));
  return Object.fromEntries(findings.map(({ workflow, outcome }) => [editOf.get(workflow)?.name ?? workflow, outcome]));
}

/** The finding names both sides, and a run. */
function expectNamed({ workflow, example, divergence, message }: CheckFinding): void {
  const { leftover = "", asked = "" } = editOf.get(workflow) ?? {};
  expect(divergence?.leftover).toContainEqual(expect.stringContaining(leftover));
  if (asked !== "") expect(divergence?.asked).toContainEqual(expect.stringContaining(asked));
  expect(message).toContain(`${RUNS_OF_EACH} of ${RUNS_OF_EACH} runs of ${workflow}@1.0.0 would `);
  expect(message).toContain(`For example ${example}.`);
}

async function startAll(api: Client): Promise<void> {
  for (let i = 0; i < RUNS_OF_EACH; i++) {
    await Promise.all(
      before.map(({ version }) => api.startRun({ workflow: version.name, version: version.versionId })),
    );
  }
}

/** Runs in a status, without the children. */
async function list(api: Client, status: string): Promise<RunSummary[]> {
  const found: RunSummary[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined; ) {
    const page: RunPage = await api.listRuns({ status, limit: 500, ...(cursor !== "" && { cursor }) });
    found.push(...page.runs);
    cursor = page.next;
  }
  return found.filter(({ parent }) => parent === undefined);
}
