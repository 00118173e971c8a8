import { type Duration, event, task, workflow } from "@aikirun/workflow";

const openAccess = task({
  name: "open-access",
  async handler(account: string, { logger }) {
    logger.info(`${account} may use everything from now on`);
    return { opened: account };
  },
});

const closeAccess = task({
  name: "close-access",
  async handler(account: string, { logger }) {
    logger.info(`${account} is back on the free plan`);
    return { closed: account };
  },
});

/** Opens an account, waits for a payment for as long as the trial lasts, and closes the account if none came. */
export const trialV1 = workflow({ name: "trial" }).v("1.0.0", {
  async handler(run, input: { account: string; lasts: Duration }) {
    await openAccess.start(run, input.account);
    const payment = await run.events.paid.wait({ timeout: input.lasts });
    if (payment.timeout) {
      await closeAccess.start(run, input.account);
      return { account: input.account, plan: "free" };
    }
    return { account: input.account, plan: payment.data.plan };
  },
  events: { paid: event<{ plan: string }>() },
});
