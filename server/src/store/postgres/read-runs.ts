/** What a run that was just leased has behind it: read with the lease, or by the statement after it. */
import type { LoadedRun } from "../../core/run.js";
import { CLOCK, type Connection, type Row, type Statement } from "./connection.js";
import { type HeldRow, type MailRow, type RecordRow, toLoaded } from "./rows.js";

/** A run of more commits is read by a statement of its own, so that nobody waits for its lock meanwhile. */
const MOST_COMMITS = 100;

/**
 * Records and mail of the leased row `a`, as this statement's snapshot shows them, for which `own` messages of this
 * statement itself are missing. A row may have been changed after the snapshot and before it was locked. Every commit
 * counts `seq` up, every message `mail_seq`, and a retry, which sets `seq` back, counts `gen` up: where the three are what the
 * snapshot shows, so is all the rest. Else `whole` is null, and `readRuns` has to read it.
 */
export const pastOf = (a: string, own: 0 | 1): string => `
LEFT JOIN LATERAL (
  SELECT true AS whole,
    (
      SELECT json_agg(json_build_object('n', n, 'kind', kind, 'key', key, 'value', value)) FROM aiki.record
      WHERE ns = was.ns AND run_id = was.run_id
    ) AS records,
    (
      SELECT json_agg(json_build_object('n', n, 'at', accepted_at, 'body', body)) FROM aiki.mailbox
      WHERE ns = was.ns AND run_id = was.run_id AND (n > was.seen OR n = ANY (was.queued))
    ) AS mail
  FROM aiki.actor was
  WHERE was.ns = ${a}.ns AND was.run_id = ${a}.run_id
    AND was.gen = ${a}.gen - 1 AND was.seq = ${a}.seq AND was.mail_seq = ${a}.mail_seq - ${own}
    AND was.seq <= ${MOST_COMMITS}
  OFFSET 0
) past ON true`;

/**
 * Histories of several runs under these generations, and the mail that they have not read or not received yet.
 * `OFFSET 0` keeps these lookups from becoming joins, whose plan would be made once, for small tables.
 */
const readRuns: Statement = {
  name: "read_runs",
  text: `
WITH input AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) AS i(ns, run_id, gen)),
held AS (
  SELECT a.ns, a.run_id, a.seq, a.seen, a.queued
  FROM input i JOIN aiki.actor a ON a.ns = i.ns AND a.run_id = i.run_id AND a.gen = i.gen
)
SELECT x.*, ${CLOCK} FROM (
  SELECT h.ns, h.run_id, 'held' AS source, h.seq AS n, NULL::bigint AS at, NULL AS kind, NULL AS key, NULL AS body FROM held h
  UNION ALL
  SELECT h.ns, h.run_id, 'record', r.n, r.at, r.kind, r.key, r.value
  FROM held h CROSS JOIN LATERAL (SELECT * FROM aiki.record r WHERE r.ns = h.ns AND r.run_id = h.run_id OFFSET 0) r
  UNION ALL
  SELECT h.ns, h.run_id, 'mail', m.n, m.accepted_at, m.kind, NULL, m.body
  FROM held h CROSS JOIN LATERAL (
    SELECT * FROM aiki.mailbox m
    WHERE m.ns = h.ns AND m.run_id = h.run_id AND (m.n > h.seen OR m.n = ANY (h.queued)) OFFSET 0
  ) m
) x`,
};

/** A leased row, with what `pastOf` has found. */
interface ReadRow extends HeldRow {
  readonly whole: boolean | null;
  readonly records: readonly RecordRow[] | null;
  readonly mail: readonly MailRow[] | null;
}

/** The runs of leased rows. Those that did not bring their past with them are read now. What another has taken meanwhile is left out. */
export async function loadLeased(connection: Connection, rows: readonly Row[]): Promise<LoadedRun[]> {
  const leased = rows as unknown as readonly ReadRow[];
  const late = await readLate(
    connection,
    leased.filter(({ whole }) => !whole),
  );
  return leased.flatMap((row) =>
    row.whole ? [toLoaded(row, { records: row.records ?? [], mail: row.mail ?? [] })] : (late.get(keyOf(row)) ?? []),
  );
}

/** By key. */
async function readLate(connection: Connection, rows: readonly HeldRow[]): Promise<Map<string, LoadedRun>> {
  const loaded = new Map<string, LoadedRun>();
  if (rows.length === 0) return loaded;
  const values = [rows.map(({ ns }) => ns), rows.map(({ run_id }) => run_id), rows.map(({ gen }) => gen)];
  const found = new Map<string, Found>(rows.map((row) => [keyOf(row), { seq: undefined, records: [], mail: [] }]));
  for (const part of (await connection.run(readRuns, values)) as unknown as readonly Part[]) {
    const own = found.get(keyOf(part));
    if (!own) continue;
    if (part.source === "held") own.seq = part.n;
    else if (part.source === "record") own.records.push({ ...part, value: part.body });
    else own.mail.push(part);
  }
  for (const row of rows) {
    const own = found.get(keyOf(row));
    if (own?.seq === row.seq) loaded.set(keyOf(row), toLoaded(row, own));
  }
  return loaded;
}

interface Part {
  readonly ns: string;
  readonly run_id: string;
  readonly source: "held" | "record" | "mail";
  readonly n: number;
  readonly at: number;
  readonly kind: string;
  readonly key: string;
  readonly body: string;
}

interface Found {
  /** Of the row; undefined: it is not held under that generation any more. */
  seq: number | undefined;
  readonly records: RecordRow[];
  readonly mail: MailRow[];
}

function keyOf({ ns, run_id }: Pick<HeldRow, "ns" | "run_id">): string {
  return JSON.stringify([ns, run_id]);
}
