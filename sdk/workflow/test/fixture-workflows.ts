/** The code behind `sdk/protocol/fixtures/exchanges.json`. Changing it makes the recorded exchanges diverge. */
import { event, type ServableVersion, task, workflow } from "@aikirun/workflow";

const charge = task({
  name: "charge",
  handler: async (input: { cents: number; to: string }) => ({ receipt: input.cents }),
});
const flaky = task({
  name: "flaky",
  retry: { type: "exponential", maxAttempts: 2, baseDelayMs: 500 },
  async handler(fails: number, { attempt }) {
    if (attempt <= fails) throw Object.assign(new RangeError(`attempt ${attempt}`), { code: "E_FLAKY" });
    return attempt;
  },
});
const survey = workflow({ name: "survey" }).v("1.0.0", {
  handler: async (_run, input: { who: string }) => input.who,
});

const order = workflow({ name: "order" }).v("1.0.0", {
  async handler(run, input: { cents: number }) {
    const { receipt } = await charge.start(run, { to: "shop", cents: input.cents });
    const answer = await run.events.delivered.wait({ timeout: { days: 3 } });
    if (answer.timeout) await run.sleep("grace", { days: 1 });
    const child = await survey.startAsChild(run, { who: "Ada" });
    const result = await child.waitForStatus("completed", { timeout: { hours: 1 } });
    return { receipt, signedBy: answer.timeout ? null : answer.data.signedBy, survey: result.success };
  },
  events: { delivered: event<{ signedBy: string }>() },
});

const retrying = workflow({ name: "retrying" }).v("1.0.0", {
  async handler(run) {
    const second = await flaky.start(run, 1);
    await flaky.start(run, 9);
    return second;
  },
});

const again = workflow({ name: "again" }).v("1.0.0", {
  retry: { type: "fixed", maxAttempts: 2, delayMs: 2_000 },
  async handler(run) {
    const charged = await charge.start(run, { cents: 3, to: "shop" });
    await flaky.with("retry", { type: "never" }).start(run, run.runAttempt === 1 ? 9 : 0);
    return charged;
  },
});

const together = workflow({ name: "together" }).v("1.0.0", {
  async handler(run) {
    const race = Promise.race([
      run.events.stop.wait().then(() => "stopped"),
      charge.start(run, { cents: 1, to: "ä" }).then(() => "paid"),
    ]);
    await Promise.all([race, run.sleep("s", 10), run.sleep("s", 20)]);
    return race;
  },
  events: { stop: event() },
});

const approval = workflow({ name: "approval" }).v("1.0.0", {
  async handler(run) {
    const stopped = new AbortController();
    const stop = run.events.stop.wait({ signal: stopped.signal }).catch((reason: unknown) => reason);
    const first = await run.race([
      run.events.approved.wait().then(({ data }) => data.by),
      run.sleep("patience", { hours: 1 }).then(() => "nobody"),
    ]);
    stopped.abort("decided");
    const next = await run.events.approved.wait({ timeout: { days: 1 } });
    return { first, stop: await stop, next: next.timeout ? null : next.data.by };
  },
  events: { approved: event<{ by: string }>(), stop: event() },
});

export const fixtureWorkflows: readonly ServableVersion[] = [order, retrying, again, together, approval];
