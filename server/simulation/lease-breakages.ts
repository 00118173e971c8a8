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
    name: "an event leases its run without the last record",
    rule: "append",
    store: (verbs) => ({
      ...verbs,
      async append(...appended) {
        const outcome = await verbs.append(...appended);
        if (outcome.type !== "appended" || !outcome.held) return outcome;
        return { ...outcome, held: { ...outcome.held, records: outcome.held.records.slice(0, -1) } };
      },
    }),
  },
  {
    name: "an event that leases its run keeps the generation",
    rule: "gen + 1 for every claim",
    store: (verbs, rows) => ({
      ...verbs,
      async append(...appended) {
        const outcome = await verbs.append(...appended);
        const held = outcome.type === "appended" ? outcome.held : undefined;
        const row = held && rowOf(rows, held.facts.ns, held.facts.id);
        if (!row) return outcome;
        row.gen -= 1;
        return { ...outcome, held: { ...held, fence: { ...held.fence, gen: row.gen } } };
      },
    }),
  },
  {
    name: "an event leases its run whoever holds it",
    rule: "append",
    store: (verbs, rows) => ({
      ...verbs,
      append(message, maxQueued, leaseMs) {
        const row = rowOf(rows, message.ns, message.runId);
        if (row && isLive(row) && leaseMs !== undefined && row.leaseUntil !== null) {
          row.leaseUntil = null;
          row.status = "suspended";
        }
        return verbs.append(message, maxQueued, leaseMs);
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
