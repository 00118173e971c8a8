/** The dispatcher as a request on Workers has it: calls to the objects that hold the runs. */

import type { Services } from "../../api/services.js";
import { tooManyPolls } from "../../api/workers.js";
import { leaseWithin } from "../../dispatch/outcome.js";
import type { DispatchSettings } from "../../dispatch/settings.js";
import { type Store, StoreUnavailable } from "../../store/port.js";
import type { Bindings } from "./bindings.js";
import { deskObject, runObject, sweep, wakeRuns } from "./objects.js";
import type { Answered } from "./run-object.js";

export interface RemoteRunsOptions {
  readonly env: Bindings;
  readonly store: Store;
  readonly leaseMs: DispatchSettings["leaseMs"];
  /** What goes on after the answer. */
  readonly defer: (work: Promise<unknown>) => void;
}

/** Before a call that failed is made again. */
const AGAIN_MS = 1_000;
/** Polls wait no longer than this: who has gone meanwhile may be given something until then. */
const POLL_MOST_MS = 10_000;

export function remoteRuns({ env, store, leaseMs, defer: deferred }: RemoteRunsOptions): Services["dispatcher"] {
  const defer = (work: Promise<unknown>) => deferred(work.catch(() => {}));
  return {
    hasRoom: () => true,
    // The run's object is there already, and claims it.
    leaseOfEvent: () => undefined,
    holds: () => false,
    accept(run) {
      const { ns, id } = run.facts;
      // Without its object nobody advances it: the next sweep finds it once its lease is given back.
      const giveBack = () => store.release(ns, id, run.fence.gen);
      defer(runObject(env, ns, id).take(run).catch(giveBack));
    },
    wake: (runs) => defer(runs ? wakeRuns(env, runs) : sweep(env, store)),
    wakeAt(at, runs) {
      for (const runId of runs?.runIds ?? [])
        defer(runObject(env, runs?.ns ?? "", runId).wakeAt(runs?.ns ?? "", runId, at));
    },
    cancelSent(ns, runId) {
      defer(runObject(env, ns, runId).cancelSent(ns, runId));
      defer(deskObject(env, ns).cancelSent(ns, runId));
    },
    startedUnknown: (ns, runId) => defer(runObject(env, ns, runId).wake(ns, runId)),
    checkpoint: async (ns, body) => resultOf(await runObject(env, ns, body.runId).checkpoint(ns, body)),
    hub: { subscribe: (ns, runId, changed) => watch(env, ns, runId, changed) },
    waitingPolls: () => 0,
    workersOf: (ns) => deskObject(env, ns).serving(ns),
    async poll(poll, waitMs) {
      const answer = resultOf(await deskObject(env, poll.ns).poll(poll, Math.min(waitMs, POLL_MOST_MS)));
      if (answer === "full") throw tooManyPolls();
      return answer;
    },
    extend: (ns, { runId, gen }, timeoutAt) =>
      store.extend(ns, runId, gen, leaseWithin(leaseMs, timeoutAt, store.now())),
    async answer(ns, push, outcome, { worker, seat, versionTimeoutMs }) {
      const desk = deskObject(env, ns);
      const { recorded, next } = resultOf(
        await desk.answer(ns, push, outcome, worker, seat !== undefined, versionTimeoutMs),
      );
      if (next && !seat?.give(next)) {
        const { run, pushId, fence } = next.push;
        defer(desk.giveBack(ns, { runId: run.id, pushId, epoch: fence.epoch, gen: fence.gen }));
      }
      return recorded;
    },
    callback: async (ns, push, ...brought) =>
      resultOf(await runObject(env, ns, push.runId).callback(ns, push, ...brought)),
    isWanted: async (ns, { runId, gen }) => (await store.lastCommit(ns, runId))?.gen === gen,
    giveBack: async (ns, push) => resultOf(await deskObject(env, ns).giveBack(ns, push)),
  };
}

/** Asks the run's object for news, again and again until the subscriber has had enough. */
function watch(env: Bindings, ns: string, runId: string, changed: (ended: boolean) => void): () => void {
  let over = false;
  const follow = async () => {
    while (!over) {
      const news = await runObject(env, ns, runId)
        .changed(ns, runId)
        .catch(() => undefined);
      if (over) return;
      if (news?.changed) changed(news.ended);
      if (news?.ended) return;
      if (!news) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  };
  void follow();
  return () => {
    over = true;
  };
}

function resultOf<T>(answered: Answered<T>): T {
  if (answered.type === "unavailable") throw new StoreUnavailable(answered.message);
  return answered.value;
}
