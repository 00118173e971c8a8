/** Of who holds a run, for how long, and who may take it. */
import { isLive } from "../src/store/memory-row.js";
import { aroundCommit, type Breakage, rowOf } from "./breakage.js";

export const LEASE_BREAKAGES: readonly Breakage[] = [
  {
    name: "a leased run is not due",
    rule: "21",
    store: aroundCommit({
      after: ({ next }, row) => {
        if (next.type === "keep") row.dueAt = null;
      },
    }),
  },
  {
    name: "what nobody served is not due while it is claimed for a worker",
    rule: "21",
    store: (verbs, rows) => ({
      ...verbs,
      async claim(options) {
        const before = new Map([...rows.values()].map((row) => [row, row.dueAt]));
        const claimed = await verbs.claim(options);
        for (const { facts } of options.unserved ? claimed : []) {
          const row = rowOf(rows, facts.ns, facts.id);
          if (row && isLive(row)) row.dueAt = before.get(row) ?? null;
        }
        return claimed;
      },
    }),
  },
  {
    name: "ordinary mail takes over what is held for a callback",
    rule: "17",
    store: (verbs, rows) => ({
      ...verbs,
      claim(limits) {
        for (const row of rows.values()) if (row.hold === "callback" && row.mailSeq > row.seen) row.leaseUntil = 0;
        return verbs.claim(limits);
      },
    }),
  },
  {
    name: "a checkpoint of what is held for a callback gives it the lease of a push",
    rule: "17",
    store: (verbs, rows) => ({
      ...verbs,
      async commit(commit, leaseMs) {
        const row = rowOf(rows, commit.ns, commit.runId);
        const leaseUntil = row?.hold === "callback" ? row.leaseUntil : null;
        // Whatever follows is later, so that the end of the lease is not kept.
        if (row && leaseUntil !== null) row.leaseUntil = 1;
        const outcome = await verbs.commit(commit, leaseMs);
        if (row?.leaseUntil === 1) row.leaseUntil = leaseUntil;
        return outcome;
      },
    }),
  },
  {
    name: "the lease of what is in nobody's memory outlasts the run's time",
    rule: "17",
    link: (link) => ({
      ...link,
      holdForCallback: (ns, runId, gen, leaseMs) => link.holdForCallback(ns, runId, gen, leaseMs + 5_000),
    }),
  },
];
