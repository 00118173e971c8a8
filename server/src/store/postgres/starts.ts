/** `start`, grouped: what arrives together is inserted by one statement. */
import type { RunSummary } from "@aikirun/protocol";
import type { LoadedRun, NewRun } from "../../core/run.js";
import type { StartOutcome } from "../port.js";
import type { Connection, Row, Value } from "./connection.js";
import { faultOf } from "./faults.js";
import { Merge } from "./merge.js";
import { toSummary, toText } from "./rows.js";
import { startRuns } from "./start-runs.js";

interface Start {
  readonly run: NewRun;
  readonly leaseMs: number | undefined;
}

interface StartRow {
  readonly place: number;
  readonly made_at: number | null;
  readonly epoch: number;
  readonly gen: number;
  readonly status: RunSummary["status"];
  readonly old_id: string | null;
  readonly workflow: string;
  readonly version: string;
  readonly reference: string | null;
  readonly parent_id: string | null;
  readonly schedule_id: string | null;
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly request_hash: string;
}

export function starts(connection: Connection, maxCalls: number): (start: Start) => Promise<StartOutcome> {
  const merge = new Merge<Start, StartOutcome>({
    maxCalls,
    touched: ({ run: { facts } }) => ({
      own: [
        JSON.stringify([facts.ns, facts.id]),
        ...(facts.reference === undefined
          ? []
          : [JSON.stringify([facts.ns, facts.workflow, facts.version, facts.reference])]),
      ],
      shared: [],
    }),
    run: (calls) => insert(connection, calls),
    isPoisoned: (error) => faultOf(error) === "data",
  });
  return (start) => merge.add(start);
}

async function insert(connection: Connection, calls: readonly Start[]): Promise<StartOutcome[]> {
  const outcomes: StartOutcome[] = [];
  // Whoever has the id or the reference may have committed it after a statement began: the next statement sees it.
  for (let left = calls.map((call, place) => ({ call, place })); left.length > 0; ) {
    const rows = (await connection.run(startRuns, valuesOf(left.map(({ call }) => call)))) as readonly Row[];
    const unseen: typeof left = [];
    for (const row of rows as unknown as readonly StartRow[]) {
      const one = left[row.place];
      if (!one) continue;
      const outcome = toOutcome(one.call, row);
      if (outcome) outcomes[one.place] = outcome;
      else unseen.push(one);
    }
    left = unseen;
  }
  return outcomes;
}

function valuesOf(calls: readonly Start[]): Value[] {
  const column = (pick: (start: Start) => string | number | null | undefined) =>
    calls.map((call) => pick(call) ?? null);
  return [
    calls.map((_, place) => place),
    column(({ run }) => run.facts.ns),
    column(({ run }) => run.facts.id),
    column(({ run }) => run.facts.workflow),
    column(({ run }) => run.facts.version),
    column(({ run }) => toText(run.facts.input)),
    column(({ run }) => run.facts.reference),
    column(({ run }) => toText(run.facts.retry)),
    column(({ run }) => run.facts.timeoutMs),
    column(({ run }) => run.facts.pool),
    column(({ run }) => run.facts.parent?.id),
    column(({ run }) => run.facts.parent?.key),
    column(({ run }) => run.requestHash),
    column(({ run }) => (run.trigger && "delayMs" in run.trigger ? run.trigger.delayMs : null)),
    column(({ run }) => (run.trigger && "at" in run.trigger ? run.trigger.at : null)),
    column(({ leaseMs }) => leaseMs),
  ];
}

function toOutcome({ run }: Start, row: StartRow): StartOutcome | undefined {
  if (row.made_at !== null) {
    const summary = toSummary({
      ...run.facts,
      status: row.status,
      reference: run.facts.reference ?? null,
      parentId: run.facts.parent?.id ?? null,
      scheduleId: null,
      createdAt: row.made_at,
      endedAt: null,
    });
    return { type: "created", run: summary, held: row.gen === 0 ? undefined : heldNow(run, row, row.made_at) };
  }
  if (row.old_id === null || row.status === null) return undefined;
  const old = toSummary({
    ...row,
    id: row.old_id,
    parentId: row.parent_id,
    scheduleId: row.schedule_id,
    createdAt: row.created_at,
    endedAt: row.ended_at,
  });
  const same = row.request_hash === run.requestHash;
  if (row.old_id === run.facts.id) return same ? { type: "existing", run: old } : { type: "id_conflict" };
  const accepted = same || run.conflictPolicy === "return_existing";
  return { type: accepted ? "existing" : "reference_conflict", run: old };
}

function heldNow(run: NewRun, row: StartRow, createdAt: number): LoadedRun {
  return {
    facts: { ...run.facts, createdAt, timedFrom: createdAt },
    fence: { epoch: row.epoch, gen: row.gen, seq: 0 },
    status: "running",
    paused: false,
    startAt: undefined,
    tries: 1,
    trouble: undefined,
    hold: "push",
    seen: 0,
    queued: [],
    mail: [],
    records: [],
  };
}
