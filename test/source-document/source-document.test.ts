import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testAiki } from "@aikirun/testing";
import { worker } from "@aikirun/worker";
import type { EventDefinition, ServableVersion, WorkflowVersion } from "@aikirun/workflow";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { root } from "../../scripts/workspaces.js";
import { compile, compilers } from "../compilers.js";
import { type Orchestrator, startOrchestrator } from "../orchestrator.js";
import { serveWorkflows } from "../serve.js";
import { programOf, programUntil, sourceDocument } from "./programs.js";

const DAY_MS = 86_400_000;
/** The last line of the program that starts a worker, starts a run and stops the worker at once. */
const QUICK_START_ENDS = "await workerHandle.stop();";
const document = sourceDocument();

if (document === undefined) {
  describe("the programs of the source document", () => {
    it("were NOT run: set SOURCE_DOCUMENT to the document's path to run them", () => {
      // The reader of programs works on any text, so at least that is seen.
      const text = 'Prose\n\nimport { a } from "a";\n\nexport const oneV1 = a({\n});\n\nMore prose';
      expect(programOf(text, "oneV1")).toBe('import { a } from "a";\n\nexport const oneV1 = a({\n});\n');
    });
  });
} else {
  describe("the programs of the source document, unmodified", () => {
    runPrograms(document);
  });
}

type Trial = WorkflowVersion<{ userId: string }, void, { paymentReceived: EventDefinition<void, void> }>;
type Restaurant = WorkflowVersion<
  { orderId: string; customerId: string },
  { status: string },
  { restaurantAccepted: EventDefinition<{ estimatedTime: number }, { estimatedTime: number }> }
>;

function runPrograms(text: string): void {
  let folder: string;
  beforeAll(() => {
    mkdirSync(join(root, ".tmp"), { recursive: true });
    folder = mkdtempSync(join(root, ".tmp", "source-document-"));
    cpSync(join(root, "test/fixtures/source-document"), folder, { recursive: true });
    writeFileSync(join(folder, "trial.ts"), programOf(text, "trialV1"));
    writeFileSync(join(folder, "workflow.ts"), 'export { trialV1 } from "./trial.js";\n');
    writeFileSync(join(folder, "quick-start.ts"), programUntil(text, QUICK_START_ENDS));
    writeFileSync(join(folder, "restaurant.ts"), programOf(text, "restaurantOrderV1"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(compilers)("compile on TypeScript $version", ({ version, folder: compiler }) => {
    expect(compile(compiler, "--project", folder)).toEqual({ version, errors: "" });
  });

  it("the Quick Start loses no run, though its worker stops at once", async () => {
    const orchestrator = await startOrchestrator();
    onTestFinished(() => orchestrator.stop());
    const { aiki, url } = orchestrator;
    const program = join(folder, "quick-start.ts");
    // Unchanged but for the port, which may be taken on this machine.
    writeFileSync(program, readFileSync(program, "utf8").replace("http://localhost:9850", url));
    await import(program);
    const [run, ...others] = (await aiki.listRuns()).runs;
    expect(others).toEqual([]);
    const { trialV1 } = (await import(join(folder, "trial.ts"))) as { trialV1: Trial };
    const again = await worker({ workflows: [trialV1] }).spawn(aiki);
    onTestFinished(() => again.stop());
    const handle = await trialV1.getHandleById(aiki, run?.id ?? "");
    await handle.events.paymentReceived.send();
    expect((await handle.waitForStatus("completed")).success).toBe(true);
  });

  describe("pushed by a real orchestrator", () => {
    let orchestrator: Orchestrator;
    let app: Awaited<ReturnType<typeof serveWorkflows>>;
    let trialV1: Trial;
    let restaurantOrderV1: Restaurant;
    let done: readonly string[];

    beforeAll(async () => {
      ({ trialV1 } = (await import(join(folder, "trial.ts"))) as { trialV1: Trial });
      ({ restaurantOrderV1 } = (await import(join(folder, "restaurant.ts"))) as { restaurantOrderV1: Restaurant });
      ({ done } = (await import(join(folder, "tasks.ts"))) as { done: readonly string[] });
      const { courierDeliveryV1 } = (await import(join(folder, "courier-workflow.ts"))) as Record<
        string,
        ServableVersion
      >;
      if (!courierDeliveryV1) throw new Error("The courier is missing.");
      orchestrator = await startOrchestrator();
      app = await serveWorkflows([trialV1, restaurantOrderV1, courierDeliveryV1], orchestrator.url);
      await orchestrator.aiki.registerEndpoint({ url: app.url });
    });
    afterAll(async () => {
      await app?.stop();
      await orchestrator?.stop();
    });

    it("the trial waits for the payment and completes when it comes", async () => {
      const handle = await trialV1.start(orchestrator.aiki, { userId: "user-123" });
      await expect.poll(async () => (await handle.refresh()).status).toBe("suspended");
      const { waitsFor } = await handle.refresh();
      expect(waitsFor).toEqual([expect.objectContaining({ kind: "event", name: "paymentReceived" })]);
      expect((waitsFor[0]?.at ?? 0) - handle.run.createdAt).toBeGreaterThanOrEqual(14 * DAY_MS);
      await handle.events.paymentReceived.send();
      expect((await handle.waitForStatus("completed")).success).toBe(true);
      const { records } = await orchestrator.aiki.readHistory(handle.id);
      expect(records.filter(({ kind }) => kind === "task").map(({ key }) => key.split(":")[1])).toEqual([
        "activate-trial",
      ]);
    });

    it("the restaurant's order goes through acceptance and courier, and sleeps for a day", async () => {
      const handle = await restaurantOrderV1.start(orchestrator.aiki, { orderId: "order-1", customerId: "Ada" });
      await handle.events.restaurantAccepted.send({ estimatedTime: 25 });
      const sleeps = async () => (await handle.refresh()).waitsFor.find(({ kind }) => kind === "sleep");
      await expect.poll(sleeps, { timeout: 20_000 }).toMatchObject({ name: "feedback-delay" });
      expect(((await sleeps())?.at ?? 0) - handle.run.createdAt).toBeGreaterThanOrEqual(DAY_MS);
      expect(done).toEqual(["restaurant: order-1", "Ada: Order confirmed! Estimated time: 25 mins"]);
    });
  });
  it("go on to their ends, days later", async () => {
    const { trialV1 } = (await import(join(folder, "trial.ts"))) as { trialV1: Trial };
    const { restaurantOrderV1 } = (await import(join(folder, "restaurant.ts"))) as { restaurantOrderV1: Restaurant };
    const { done } = (await import(join(folder, "tasks.ts"))) as { done: readonly string[] };
    const { courierDeliveryV1 } = (await import(join(folder, "courier-workflow.ts"))) as Record<
      string,
      ServableVersion
    >;
    const aiki = testAiki({ workflows: [trialV1, restaurantOrderV1, courierDeliveryV1 as ServableVersion] });
    const trial = await aiki.start(trialV1, { userId: "user-123" });
    const order = await aiki.start(restaurantOrderV1, { orderId: "order-2", customerId: "Eve" });
    await order.events.restaurantAccepted.send({ estimatedTime: 25 });
    await aiki.advance({ days: 13 });
    expect(await order.result()).toEqual({ status: "completed" });
    expect(done.at(-1)).toBe("mail: Eve");
    expect((await trial.refresh()).status).toBe("suspended");
    await aiki.advance({ days: 1 });
    expect(await trial.result()).toBeUndefined();
    const tasks = (await trial.history()).records.filter(({ kind }) => kind === "task");
    expect(tasks.map(({ key }) => key.split(":")[1])).toEqual(["activate-trial", "downgrade-to-free"]);
  });
}
