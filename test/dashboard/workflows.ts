/** Workflows whose runs show everything that the page can show. */
import { event, NonRetryableError, task, workflow } from "@aikirun/workflow";
import * as z from "zod";

/** What changes under a run's feet: the test turns it. */
export const code = { changed: false };

export const INJECTION = `<img src=x onerror="window.injected=1"><script>window.injected=1</script>`;

const reserve = task({
  name: "reserve-stock",
  async handler({ sku, count }: { sku: string; count: number }) {
    return { reservation: `rsv-${sku}-${count}`, warehouse: "Rotterdam" };
  },
});

const charge = task({
  name: "charge-card",
  retry: { type: "exponential", maxAttempts: 4, baseDelayMs: 120 },
  async handler({ customer, cents }: { customer: string; cents: number }, { attempt }) {
    if (attempt < 3) throw new Error(`the bank did not answer (attempt ${attempt})`);
    return { receipt: `rcp-${customer}`, cents };
  },
});

const pack = task({
  name: "pack-parcel",
  async handler(parcel: number) {
    await new Promise((resolve) => setTimeout(resolve, 15 + parcel * 10));
    return { parcel, grams: 400 + parcel * 130 };
  },
});

export const deliveryV1 = workflow({ name: "delivery" }).v("1.0.0", {
  async handler(run, input: { order: string; parcels: number; rideMs: number }) {
    const parcels = Array.from({ length: input.parcels }, (_, i) => i);
    await Promise.all(parcels.map((parcel) => pack.start(run, parcel)));
    await run.sleep("on the road", { milliseconds: input.rideMs });
    return { order: input.order, delivered: true };
  },
});

export const orderV2 = workflow({ name: "order" }).v("2.1.0", {
  schema: {
    input: z.object({
      customer: z.string().min(1).describe("Who orders"),
      cents: z.number().int().positive(),
      sku: z.enum(["tea", "coffee", "cocoa"]),
      count: z.number().int().min(1),
      express: z.boolean().optional(),
      rideMs: z.number().int().min(0),
    }),
  },
  async handler(run, input) {
    await reserve.start(run, { sku: input.sku, count: input.count });
    const receipt = await charge.start(run, { customer: input.customer, cents: input.cents });
    const delivery = await deliveryV1.startAsChild(run, { order: input.customer, parcels: 3, rideMs: input.rideMs });
    await run.sleep("cooling-off period", { milliseconds: 200 });
    const signature = await run.events.delivered.wait({ timeout: { days: 3 } });
    const outcome = await delivery.waitForStatus("completed");
    return { receipt, signedBy: signature.timeout ? null : signature.data.signedBy, delivered: outcome.success };
  },
  events: { delivered: event({ schema: z.object({ signedBy: z.string().min(1) }) }) },
});

export const reminderV1 = workflow({ name: "reminder" }).v("1.0.0", {
  async handler(run, input: { text: string; days: number }) {
    await run.sleep("until then", { days: input.days });
    return input.text;
  },
});

const readRow = task({
  name: "import-row",
  async handler(row: number) {
    return { row, ok: true };
  },
});

/** One push runs a batch at the same time; a thousand rows make a thousand entries. */
export const importV1 = workflow({ name: "catalogue-import" }).v("1.4.2", {
  async handler(run, input: { rows: number; batch: number }) {
    for (let from = 0; from < input.rows; from += input.batch) {
      const rows = Array.from({ length: Math.min(input.batch, input.rows - from) }, (_, i) => from + i);
      await Promise.all(rows.map((row) => readRow.start(run, row)));
    }
    return { rows: input.rows };
  },
});

const parse = task({
  name: "parse-invoice",
  async handler(file: string): Promise<void> {
    const cause = new TypeError("the total is not a number: 12,90 €");
    throw new NonRetryableError(`${file} cannot be read`, { cause });
  },
});

export const invoiceV1 = workflow({ name: "invoice" }).v("1.0.0", {
  async handler(run, input: { file: string }) {
    await parse.start(run, input.file);
  },
});

const before = task({ name: "notify-by-mail", async handler() {} });
const after = task({ name: "notify-by-phone", async handler() {} });

/** Its code changes while a run of it waits. */
export const noticeV1 = workflow({ name: "notice" }).v("1.0.0", {
  async handler(run) {
    if (!code.changed) await before.start(run);
    else await after.start(run);
    await run.events.seen.wait();
    await after.start(run);
  },
  events: { seen: event() },
});

const echo = task({
  name: INJECTION,
  async handler(text: string) {
    return { text };
  },
});
const refuse = task({
  name: "refuse",
  async handler(text: string): Promise<void> {
    throw new Error(text);
  },
});

/** Text that would be a script, were it ever taken for markup. */
export const hostileV1 = workflow({ name: `hostile ${INJECTION}` }).v("1.0.0", {
  async handler(run, input: { text: string }) {
    await echo.start(run, input.text);
    await refuse.start(run, input.text);
  },
});

/** Long enough that somebody can pause it, resume it and cancel it. */
export const patientV1 = workflow({ name: "patient" }).v("1.0.0", {
  async handler(run) {
    const answer = await run.events.go.wait();
    return answer.data;
  },
  events: { go: event<{ word: string }>() },
});

export const allWorkflows = [
  deliveryV1,
  orderV2,
  reminderV1,
  importV1,
  invoiceV1,
  noticeV1,
  hostileV1,
  patientV1,
] as const;
