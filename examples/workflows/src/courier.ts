import { type Duration, task, workflow } from "@aikirun/workflow";

const COURIERS = ["Imani", "Joris", "Mei"];

const findCourier = task({
  name: "find-courier",
  retry: { type: "exponential", maxAttempts: 3, baseDelayMs: 200 },
  async handler(order: string, { attempt, logger }) {
    if (attempt === 1) throw new Error("every courier is busy");
    const courier = COURIERS[order.length % COURIERS.length] ?? "Imani";
    logger.info(`${courier} takes ${order}, found on attempt ${attempt}`);
    return courier;
  },
});

const handOver = task({
  name: "hand-over",
  async handler({ order, courier }: { order: string; courier: string }, { logger }) {
    logger.info(`${courier} handed ${order} over`);
  },
});

/** Finds a courier, who is busy at first, and rides for as long as the input says. */
export const courierRideV1 = workflow({ name: "courier-ride" }).v("1.0.0", {
  async handler(run, input: { order: string; ride: Duration }) {
    const courier = await findCourier.start(run, input.order);
    await run.sleep("ride", input.ride);
    await handOver.start(run, { order: input.order, courier });
    return { courier };
  },
});
