/**
 * The store as one process reaches it: every statement goes over a network that loses requests and answers, and delivers
 * some long after the caller has given up. `now()` is what the process may conclude from the newest answer.
 */
import type { Instant } from "../src/core/clock.js";
import type { FiringStore } from "../src/dispatch/schedules.js";
import { type RunStore, StoreUnavailable } from "../src/store/port.js";
import type { Faults } from "./faults.js";
import type { Process, Scheduler } from "./scheduler.js";

export interface LinkOptions {
  readonly process: Process;
  readonly store: RunStore & FiringStore;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  /** The database's clock. */
  readonly now: () => number;
  /** A statement failed in a way that no database fails: a violated invariant. */
  readonly fail: (error: unknown) => void;
}

/** How long a caller waits before it calls the outcome unknown. */
const PATIENCE_MS = 120;

export function storeLink(options: LinkOptions): RunStore & FiringStore {
  const { process, store, scheduler, faults, now } = options;
  let newest = { database: 0, sentAt: 0, receivedAt: 0 };

  function call<T>(verb: string, statement: () => Promise<T>): Promise<T> {
    const sentAt = scheduler.now;
    return new Promise((resolve, reject) => {
      const unknown = () => reject(new StoreUnavailable(`${verb}: no answer`));
      const giveUp = scheduler.after(PATIENCE_MS, process, `${verb} gives up`, unknown);
      if (faults.databaseAway || faults.strikes(0.2)) return;
      scheduler.after(faults.hopMs(), undefined, `${process.name} ${verb}`, () => {
        statement().then((result) => {
          const database = now();
          if (faults.strikes(0.3)) return;
          scheduler.after(faults.hopMs(), process, `${verb} answered`, () => {
            giveUp();
            newest = { database, sentAt, receivedAt: scheduler.now };
            resolve(result);
          });
        }, options.fail);
      });
    });
  }

  return {
    now(): Instant {
      const { database, sentAt, receivedAt } = newest;
      return { earliest: database + scheduler.now - receivedAt, latest: database + scheduler.now - sentAt };
    },
    start: (run, leaseMs) => call("start", () => store.start(run, leaseMs)),
    append: (message, most, leaseMs) => call("append", () => store.append(message, most, leaseMs)),
    appendWhere: (where, message) => call("appendWhere", () => store.appendWhere(where, message)),
    claim: (limits) => call("claim", () => store.claim(limits)),
    load: (ns, id) => call("load", () => store.load(ns, id)),
    readMail: (ns, id, after) => call("readMail", () => store.readMail(ns, id, after)),
    commit: (commit, leaseMs) => call("commit", () => store.commit(commit, leaseMs)),
    lastCommit: (ns, id) => call("lastCommit", () => store.lastCommit(ns, id)),
    extend: (ns, id, gen, leaseMs) => call("extend", () => store.extend(ns, id, gen, leaseMs)),
    holdForCallback: (ns, id, gen, leaseMs) =>
      call("holdForCallback", () => store.holdForCallback(ns, id, gen, leaseMs)),
    bump: (ns, id, gen, leaseMs) => call("bump", () => store.bump(ns, id, gen, leaseMs)),
    retry: (ns, id, eventId) => call("retry", () => store.retry(ns, id, eventId)),
    release: (ns, id, gen) => call("release", () => store.release(ns, id, gen)),
    wakeUnserved: (ns, versions) => call("wakeUnserved", () => store.wakeUnserved(ns, versions)),
    nextDueAt: () => call("nextDueAt", () => store.nextDueAt()),
    dueRuns: (limit) => call("dueRuns", () => store.dueRuns(limit)),
    wakesAt: (ns, runId) => call("wakesAt", () => store.wakesAt(ns, runId)),
    upcomingSchedules: (after, limit) => call("upcomingSchedules", () => store.upcomingSchedules(after, limit)),
    fire: (firing) => call("fire", () => store.fire(firing)),
  };
}
