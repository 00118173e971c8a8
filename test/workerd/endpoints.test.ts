/** Workers as endpoints: real bundles in workerd, without `nodejs_compat`, pushed to by a real orchestrator on Postgres. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { formatPublicKey, publicKeyFromJwk } from "@aikirun/protocol";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { root } from "../../scripts/workspaces.js";
import { signingKey } from "../../sdk/endpoint/test/orchestrator.js";
import { bundleForWorkers, COMPATIBILITY, type RunningWorker, startWorker } from "../../sdk/endpoint/test/workerd.js";
import { type Orchestrator, startOrchestrator } from "../orchestrator.js";
import { againV1, everythingV1, laterV1, patientV1, stepsV1 } from "./everything.js";

const SOON = { timeout: 20_000 };
/** Longer than an answer may be silent. */
const LONG_MS = 10_500;
let orchestrator: Orchestrator;
let plain: RunningWorker;
let plainScript: string;
let patient: Awaited<ReturnType<(typeof patientV1)["start"]>>;
beforeAll(async () => {
  [orchestrator, plainScript] = await Promise.all([
    startOrchestrator(),
    bundleForWorkers('export { worker as default } from "./everything.js"', new URL(".", import.meta.url)),
  ]);
  plain = await startWorker({ script: plainScript, bindings: { AIKI_URL: orchestrator.url, REGION: "weur" } });
  await orchestrator.aiki.registerEndpoint({ url: `${plain.origin}/`, name: "plain" });
  patient = await patientV1.start(orchestrator.aiki, LONG_MS);
}, 120_000);
afterAll(async () => {
  await plain?.close();
  await orchestrator?.stop();
});

const counted = async () =>
  (await (await fetch(`${plain.origin}/pushes`)).json()) as { pushes: number; laterStatuses: number[] };
const pushes = async () => (await counted()).pushes;

describe("a Worker with @aikirun/endpoint alone", () => {
  it("is described by its manifest", async () => {
    const [endpoint] = await orchestrator.aiki.listEndpoints();
    expect(endpoint).toMatchObject({ name: "plain", status: "healthy", maxDurationMs: 300_000 });
    expect(endpoint?.sdk).toMatch(/^@aikirun\/endpoint/);
    expect(endpoint?.workflows).toHaveLength(5);
  });

  it("completes a run that uses all that there is", () => usesEverything());

  it("starts a failed handler again", async () => {
    const handle = await againV1.start(orchestrator.aiki);
    const result = await handle.waitForStatus("completed", SOON);
    expect(result.success && result.state.output).toBe(2);
  });

  it("goes on by checkpoints, many runs at a time: no request waits for what another one sends", async () => {
    const before = await pushes();
    const handles = await Promise.all(Array.from({ length: 20 }, () => stepsV1.start(orchestrator.aiki, 8)));
    const results = await Promise.all(handles.map((handle) => handle.waitForStatus("completed", SOON)));
    expect(results.map((result) => result.success && result.state.output)).toEqual(handles.map(() => 36));
    expect((await pushes()) - before).toBe(20);
    expect(plain.output()).not.toContain("ORCHESTRATOR_UNREACHABLE");
  });

  it("answers a task that takes longer than proxies wait", async () => {
    const result = await patient.waitForStatus("completed", SOON);
    expect(result.success && result.state.output).toBe(LONG_MS);
    // Its push was not repeated.
    const { records } = await orchestrator.aiki.readHistory(patient.id);
    expect(records.map(({ kind }) => kind)).toEqual(["task", "run"]);
  });

  it("goes on after its answer, where waitUntil lets it", async () => {
    await orchestrator.aiki.registerEndpoint({ url: `${plain.origin}/later`, name: "later" });
    const handle = await laterV1.start(orchestrator.aiki, 3_000);
    const result = await handle.waitForStatus("completed", SOON);
    expect(result.success && result.state.output).toBe(3_000);
    // To the description, and to the one push.
    expect((await counted()).laterStatuses).toEqual([200, 202]);
  });

  it("has the same with Node's compatibility", async () => {
    const bindings = { AIKI_URL: orchestrator.url, REGION: "weur" };
    const worker = await startWorker({ script: plainScript, bindings, flags: ["nodejs_compat"] });
    onTestFinished(() => worker.close());
    await orchestrator.aiki.registerEndpoint({ url: `${worker.origin}/`, name: "plain" });
    await usesEverything();
  });
});

describe("a Worker that is not what it was registered as", () => {
  it("trusts no key but its own", async () => {
    const { text } = await signingKey("Ed25519");
    await expect(refusal({ AIKI_PUBLIC_KEYS: text })).resolves.toMatchObject({ code: "UNAUTHENTICATED_PUSH" });
  });

  it("is no other URL than the one that it was given", async () => {
    const error = await refusal({ AIKI_URL: orchestrator.url, AIKI_ENDPOINT_URL: "https://app.example.com/" });
    expect(error).toMatchObject({ code: "AUDIENCE_MISMATCH" });
  });

  it("shows the names of its workflows on a developer's machine only", async () => {
    const { text } = await signingKey("Ed25519");
    const deployed = await start({ AIKI_PUBLIC_KEYS: text });
    expect(await (await fetch(deployed.origin)).json()).not.toHaveProperty("served");
    expect(await (await fetch(plain.origin)).json()).toHaveProperty("served");
  });
});

async function usesEverything(): Promise<void> {
  const handle = await everythingV1.start(orchestrator.aiki, { who: " Ada " });
  await handle.events.approved.send({ on: "2026-01-02" as never });
  const result = await handle.waitForStatus("completed", SOON);
  expect(result.success ? result.state.output : await handle.refresh()).toEqual({
    who: "Ada",
    region: "weur",
    flakes: [1, 2, 3].map((at) => ({ at, keyed: true })),
    timedOut: "TaskFailedError",
    slept: { cancelled: false },
    on: "2026-01-02T00:00:00.000Z",
    doubled: [2, 4],
    first: "short",
    late: true,
  });
}

async function start(bindings: Record<string, string>): Promise<RunningWorker> {
  const worker = await startWorker({ script: plainScript, bindings });
  onTestFinished(() => worker.close());
  return worker;
}

async function refusal(bindings: Record<string, string>): Promise<unknown> {
  const { origin } = await start(bindings);
  return await orchestrator.aiki.registerEndpoint({ url: `${origin}/`, name: "other" }).then(
    () => "it was registered",
    (error: unknown) => error,
  );
}

describe("examples/workers", () => {
  const folder = join(root, "examples/workers");

  it.each(["node", "workers"] as const)(
    "is bundled by wrangler, and starts, steers and awaits runs of an orchestrator on %s from its own routes",
    {
      timeout: 120_000,
    },
    async (runtime) => {
      const own = runtime === "node" ? undefined : await startOrchestrator(runtime);
      onTestFinished(() => own?.stop());
      const { aiki, url } = own ?? orchestrator;
      const script = await deployed(folder);
      // As in production: keys that are pinned, and a key for its own requests, which this orchestrator does not ask for.
      const keys = (await aiki.publicKeys()).flatMap((jwk) => publicKeyFromJwk(jwk) ?? []);
      const bindings = {
        AIKI_PUBLIC_KEYS: keys.map(formatPublicKey).join(","),
        AIKI_URL: url,
        AIKI_API_KEY: "an-api-key",
      };
      const { origin, close, output } = await startWorker({ script, bindings });
      onTestFinished(close);
      await aiki.registerEndpoint({ url: `${origin}/api/aiki`, name: "example" });

      const started = await post(`${origin}/orders`, { order: "soup", guest: "Ada" });
      expect(started.status, output()).toBe(201);
      const { run } = (await started.json()) as { run: string };
      expect((await post(`${origin}/orders/${run}/accept`, { minutes: 10 })).status).toBe(204);
      const ended = async () => await (await fetch(`${origin}/orders/${run}`)).json();
      await expect.poll(ended, SOON).toEqual({ order: "soup", delivered: true, courier: "Joris" });
    },
  );

  it("asks of Workers what the tests here give it", () => {
    const toml = readFileSync(join(folder, "wrangler.toml"), "utf8");
    expect(toml).toContain(`compatibility_date = "${COMPATIBILITY.compatibilityDate}"`);
    const flags = COMPATIBILITY.compatibilityFlags.map((flag) => `"${flag}"`).join(", ");
    expect(toml).toContain(`compatibility_flags = [${flags}]`);
  });
});

const post = (url: string, body: unknown) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** What `wrangler deploy` would send. */
async function deployed(folder: string): Promise<string> {
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const out = mkdtempSync(join(root, ".tmp", "wrangler-"));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" };
  await promisify(execFile)(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", out], { cwd: folder, env });
  return readFileSync(join(out, "worker.js"), "utf8");
}
