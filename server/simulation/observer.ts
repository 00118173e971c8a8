/** What a caller may conclude from the answer to a statement, checked against the rows in the moment of the answer. */
import type { Row } from "../src/store/memory-row.js";
import type { RunStore } from "../src/store/port.js";
import { Violation } from "./violation.js";

export function observed(store: RunStore, find: (ns: string, runId: string) => Row | undefined): RunStore {
  return {
    now: () => store.now(),
    start: (run, leaseMs) => store.start(run, leaseMs),
    appendWhere: (where, message) => store.appendWhere(where, message),
    claim: (limits) => store.claim(limits),
    load: (ns, id) => store.load(ns, id),
    readMail: (ns, id, after) => store.readMail(ns, id, after),
    lastCommit: (ns, id) => store.lastCommit(ns, id),
    extend: (ns, id, gen, leaseMs) => store.extend(ns, id, gen, leaseMs),
    holdForCallback: (ns, id, gen, leaseMs) => store.holdForCallback(ns, id, gen, leaseMs),
    bump: (ns, id, gen, leaseMs) => store.bump(ns, id, gen, leaseMs),
    release: (ns, id, gen) => store.release(ns, id, gen),
    wakeUnserved: (ns, versions) => store.wakeUnserved(ns, versions),
    nextDueAt: () => store.nextDueAt(),
    dueRuns: (limit) => store.dueRuns(limit),
    wakesAt: (ns, runId) => store.wakesAt(ns, runId),
    async append(message, ...rest) {
      const outcome = await store.append(message, ...rest);
      const accepted = outcome.type === "appended" || outcome.type === "duplicate";
      if (accepted && !find(message.ns, message.runId)?.eventIds.has(message.eventId)) {
        throw new Violation("ACK", `${message.eventId} was acknowledged and is not in the mailbox of ${message.runId}`);
      }
      return outcome;
    },
    async retry(ns, runId, eventId) {
      const outcome = await store.retry(ns, runId, eventId);
      const done = outcome.type === "retried" || outcome.type === "duplicate";
      if (done && !find(ns, runId)?.eventIds.has(eventId)) {
        throw new Violation("ACK", `the retry ${eventId} of ${runId} was acknowledged and left no trace`);
      }
      return outcome;
    },
    async commit(commit, leaseMs) {
      const outcome = await store.commit(commit, leaseMs);
      const gen = find(commit.ns, commit.runId)?.gen;
      if (outcome.type === "committed" && gen !== commit.fence.gen) {
        throw new Violation("FENCE", `${commit.runId} of generation ${gen} was written under ${commit.fence.gen}`);
      }
      return outcome;
    },
  };
}
