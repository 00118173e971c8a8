/** What an app gives its workflows: a context and a logger. `test/context` does it in Hono and Express. */
import { event, type Logger, task, workflow } from "@aikirun/workflow";
import { expect, it } from "vitest";
import { SOON, staged } from "./stage.js";

interface Shop {
  readonly requestedBy: string;
}

const pack = task({
  name: "pack",
  retry: { type: "fixed", maxAttempts: 3, delayMs: 1 },
  async handler(item: string, { attempt, logger }) {
    logger.info("packing");
    if (attempt === 1) throw new Error("the box broke");
    return `${item} packed`;
  },
});
const orders = workflow<Shop>({ name: "orders" }).v("1", {
  async handler(run, item: string) {
    run.logger.info("ordered");
    const packed = await pack.start(run, item);
    run.logger.info("packed");
    // Ends without asking for anything more, before the run does.
    const note = run.sleep("note", 10).then(() => run.logger.info("noted"));
    await run.events.paid.wait();
    await note;
    run.logger.info("paid");
    return { packed, by: run.context.requestedBy };
  },
  events: { paid: event() },
});

/** Keeps what is said, in the order in which it was. */
function listener(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const tell = (fields: object | string, message?: string) => {
    lines.push(message ?? String(fields));
  };
  return { lines, logger: { trace: tell, debug: tell, info: tell, warn: tell, error: tell } };
}

it("a context reaches the handler, and a logger's lines are told once however often it is replayed", async () => {
  const { logger, lines } = listener();
  const context = ({ name, versionId }: { name: string; versionId: string }) => ({
    requestedBy: `${name}@${versionId}`,
  });
  const { aiki } = await staged([orders], { logger, context });
  const handle = await orders.start(aiki, "tea");
  await expect.poll(() => lines, SOON).toContain("noted");
  await handle.events.paid.send();
  expect(await handle.waitForStatus("completed")).toMatchObject({
    state: { output: { packed: "tea packed", by: "orders@1" } },
  });
  expect(lines).toEqual(["ordered", "packing", "packing", "packed", "noted", "paid"]);
});

it("a context that cannot be made keeps the run waiting, and is made again later", async () => {
  let broken = true;
  const context = () => {
    if (broken) throw new Error("no database, and a secret");
    return { requestedBy: "nobody" };
  };
  const { aiki } = await staged([orders], { context });
  const handle = await orders.start(aiki, "coffee");
  await expect.poll(async () => (await handle.refresh()).trouble?.message, SOON).toContain("CONTEXT_FAILED");
  const { records, trouble } = await handle.refresh();
  expect({ records, code: trouble?.code }).toEqual({ records: 0, code: "BUSY" });
  expect(JSON.stringify(trouble)).not.toContain("secret");
  broken = false;
  await handle.events.paid.send();
  expect(await handle.waitForStatus("completed")).toMatchObject({ success: true });
});
