import { type Duration, event, task, workflow } from "@aikirun/workflow";
import { courierRideV1 } from "./courier.js";

const printTicket = task({
  name: "print-ticket",
  async handler(order: string, { logger }) {
    logger.info(`the kitchen sees ${order}`);
  },
});

const tellGuest = task({
  name: "tell-guest",
  async handler({ guest, text }: { guest: string; text: string }, { logger }) {
    logger.info(`to ${guest}: ${text}`);
  },
});

const mailSurvey = task({
  name: "mail-survey",
  retry: { type: "jittered", maxAttempts: 5, baseDelayMs: 500, maxDelayMs: 10_000 },
  async handler(guest: string, { idempotencyKey, logger }) {
    logger.info({ messageId: idempotencyKey }, `survey for ${guest} is in the mail`);
  },
});

interface Order {
  readonly order: string;
  readonly guest: string;
  /** How long the kitchen may take to accept. */
  readonly acceptWithin: Duration;
  readonly ride: Duration;
  readonly surveyAfter: Duration;
}

/** A restaurant's order: the kitchen accepts in time or not, a courier delivers, and later a survey goes out. */
export const orderV1 = workflow({ name: "restaurant-order-with-survey" }).v("1.0.0", {
  async handler(run, { order, guest, acceptWithin, ride, surveyAfter }: Order) {
    await printTicket.start(run, order);
    const accepted = await run.events.accepted.wait({ timeout: acceptWithin });
    if (accepted.timeout) {
      await tellGuest.start(run, { guest, text: "the kitchen is closed, you pay nothing" });
      return { order, delivered: false };
    }
    await tellGuest.start(run, { guest, text: `ready in ${accepted.data.minutes} minutes` });

    const delivery = await courierRideV1.startAsChild(run, { order, ride });
    const outcome = await delivery.waitForStatus("completed");
    if (!outcome.success) return { order, delivered: false };

    await run.sleep("before the survey", surveyAfter);
    await mailSurvey.start(run, guest);
    return { order, delivered: true, courier: outcome.state.output.courier };
  },
  events: { accepted: event<{ minutes: number }>() },
});
