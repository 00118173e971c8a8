/** The one object that watches what belongs to no run: when the next schedule fires, and how endpoints are. */
import { DurableObject } from "cloudflare:workers";
import type { Firing } from "../../core/schedule.js";
import { Health } from "../../dispatch/health.js";
import type { Doubt } from "../../dispatch/push.js";
import { fireSchedules } from "../../dispatch/schedules.js";
import type { Bindings } from "./bindings.js";
import { isolateOf, writeDownSoon } from "./isolate.js";
import { runObject, sweep, wakeRuns } from "./objects.js";
import { log, openWorkplace, type Workplace } from "./workplace.js";

const PROBE_MOST_MS = 30_000;
const PROBE_MOST_LOCAL_MS = 2_000;
const RETRY_MS = 1_000;

export class ClockObject extends DurableObject<Bindings> {
  #workplace: Promise<Workplace> | undefined;
  #health: Health | undefined;
  #alarmAt = Number.POSITIVE_INFINITY;

  /** Every minute, in case that a call or an alarm was lost. */
  async tick(): Promise<void> {
    await this.#fire();
    const workplace = await this.#open();
    await workplace.endpoints.refresh();
    this.#healthOf(workplace).watch();
  }

  /** A schedule comes due at this instant of the database. */
  async wakeAt(at: number): Promise<void> {
    const { store } = await this.#open();
    await this.#ringAt(Date.now() + Math.max(0, at - store.now().earliest));
  }

  /** A push gave reason to ask this endpoint who it is. */
  async doubt(endpointId: string, reason: Doubt): Promise<void> {
    const workplace = await this.#open();
    if (!workplace.endpoints.get(endpointId)) await workplace.endpoints.refresh();
    this.#healthOf(workplace).doubt(endpointId, reason);
  }

  override async alarm(): Promise<void> {
    this.#alarmAt = Number.POSITIVE_INFINITY;
    await this.#fire();
  }

  async #fire(): Promise<void> {
    try {
      const { store, isolate } = await this.#open();
      const next = await fireSchedules({
        store,
        fired: (firing) => this.ctx.waitUntil(tellFired(this.env, firing)),
        onError: (error, schedule) => log.error("a schedule could not be fired", { schedule, reason: String(error) }),
      });
      writeDownSoon(isolate, (work) => this.ctx.waitUntil(work));
      // A schedule that is due by now, and not yet by the database's clock, is looked at again at once.
      if (next !== undefined) await this.#ringAt(Date.now() + Math.max(1, next - store.now().earliest));
    } catch {
      await this.#ringAt(Date.now() + RETRY_MS);
    }
  }

  #open(): Promise<Workplace> {
    this.#workplace ??= openWorkplace(isolateOf(this.env), {
      doubt: (endpointId, reason) => this.#health?.doubt(endpointId, reason),
      woken: () => {},
      defer: (work) => this.ctx.waitUntil(work),
    });
    const opening = this.#workplace;
    opening.catch(() => {
      if (this.#workplace === opening) this.#workplace = undefined;
    });
    return opening;
  }

  #healthOf({ store, endpoints, describe, isolate }: Workplace): Health {
    this.#health ??= new Health({
      store,
      endpoints,
      describe,
      woken: () => this.ctx.waitUntil(sweep(this.env, store)),
      log,
      now: Date.now,
      probeMaxMs: isolate.configuration.local ? PROBE_MOST_LOCAL_MS : PROBE_MOST_MS,
    });
    return this.#health;
  }

  async #ringAt(at: number): Promise<void> {
    if (at >= this.#alarmAt || isolateOf(this.env).configuration.local?.alarms === false) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(Math.ceil(at));
  }
}

/** What a fire has made due. */
export async function tellFired(env: Bindings, { ns, runIds, cancels }: Firing): Promise<void> {
  isolateOf(env).observing.started(ns, runIds.length);
  await wakeRuns(env, { ns, runIds });
  if (cancels !== undefined) await runObject(env, ns, cancels).cancelSent(ns, cancels);
}
