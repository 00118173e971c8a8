/** Rows of the database to the words of the core, and JSON to text. */
import type { HistoryRecord, JsonValue, RunSummary } from "@aikirun/protocol";
import type { LoadedRun, Mail, MessageBody, RunFacts, Trouble } from "../../core/run.js";

/**
 * JSON as it is stored. `JSON.stringify` escapes U+0000 and lone surrogates, which `text` cannot hold, so that every
 * JSON value can be stored.
 */
export function toText(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

export function fromText<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}

/** The code stands first: a query looks for it there. */
export function troubleText(trouble: Trouble | undefined): string | null {
  if (!trouble) return null;
  const { code, ...rest } = trouble;
  return JSON.stringify({ code, ...rest });
}

/** What `HELD_COLUMNS` select. */
export interface HeldRow extends FactsRow {
  readonly status: LoadedRun["status"];
  readonly epoch: number;
  readonly gen: number;
  readonly seq: number;
  readonly seen: number;
  readonly queued: readonly number[];
  readonly tries: number;
  readonly paused: boolean;
  readonly start_at: number | null;
  readonly trouble: string | null;
  readonly hold: LoadedRun["hold"] | null;
}

/** The columns of a run that never change. */
export interface FactsRow {
  readonly ns: string;
  readonly run_id: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: string | null;
  readonly created_at: number;
  readonly timed_from: number | null;
  readonly reference: string | null;
  readonly retry: string | null;
  readonly timeout_ms: number | null;
  readonly pool: string | null;
  readonly parent_id: string | null;
  readonly parent_key: string | null;
}

export function toFacts(row: FactsRow): RunFacts {
  return {
    ns: row.ns,
    id: row.run_id,
    workflow: row.workflow,
    version: row.version,
    input: fromText<JsonValue>(row.input),
    createdAt: row.created_at,
    timedFrom: row.timed_from ?? row.created_at,
    reference: row.reference ?? undefined,
    retry: fromText<NonNullable<RunFacts["retry"]>>(row.retry),
    timeoutMs: row.timeout_ms ?? undefined,
    pool: row.pool ?? undefined,
    parent: row.parent_id === null ? undefined : { id: row.parent_id, key: row.parent_key ?? "" },
  };
}

export interface RecordRow {
  readonly n: number;
  readonly kind: string;
  readonly key: string;
  readonly value: string;
}

/** What was written was a valid record: it is not validated again. */
export function toRecord({ n, kind, key, value }: RecordRow): HistoryRecord {
  return { n, kind, key, value: JSON.parse(value) } as HistoryRecord;
}

export interface MailRow {
  readonly n: number;
  readonly at: number;
  readonly body: string;
}

export function toMail({ n, at, body }: MailRow): Mail {
  return { n, acceptedAt: at, body: fromBody(body) };
}

function fromBody(text: string): MessageBody {
  const body = JSON.parse(text) as MessageBody;
  // JSON leaves out what is undefined; the type has it.
  if (body.kind === "event") return { kind: "event", name: body.name, data: body.data };
  if (body.kind === "cancel") return { kind: "cancel", reason: body.reason };
  if (body.kind === "child") {
    return { kind: "child", key: body.key, status: body.status, output: body.output, error: body.error };
  }
  return body;
}

/** What a run has recorded, and its mail: what it has not read, and what it has read and not received. In any order. */
export interface Past {
  readonly records: readonly RecordRow[];
  readonly mail: readonly MailRow[];
}

export function toLoaded(row: HeldRow, past: Past): LoadedRun {
  const byNumber = (a: { n: number }, b: { n: number }) => a.n - b.n;
  const mail = past.mail.map(toMail).sort(byNumber);
  return {
    facts: toFacts(row),
    fence: { epoch: row.epoch, gen: row.gen, seq: row.seq },
    status: row.status,
    paused: row.paused,
    startAt: row.start_at ?? undefined,
    tries: row.tries,
    trouble: fromText<Trouble>(row.trouble),
    hold: row.hold ?? undefined,
    seen: row.seen,
    queued: row.queued.map((n) => mail.find((one) => one.n === n) as Mail),
    mail: mail.filter(({ n }) => n > row.seen),
    records: past.records.map(toRecord).sort(byNumber),
  };
}

/** What the columns of a run and its actor say to a list. */
export interface SummaryRow {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunSummary["status"];
  readonly reference: string | null;
  readonly parentId: string | null;
  readonly scheduleId: string | null;
  readonly createdAt: number;
  readonly endedAt: number | null;
}

export function toSummary(row: SummaryRow): RunSummary {
  return {
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    status: row.status,
    ...(row.reference === null ? {} : { reference: row.reference }),
    ...(row.parentId === null ? {} : { parent: row.parentId }),
    ...(row.scheduleId === null ? {} : { schedule: row.scheduleId }),
    createdAt: row.createdAt,
    ...(row.endedAt === null ? {} : { endedAt: row.endedAt }),
  };
}
