/** A page of a run's history, bounded by rows and by bytes: one record may be as large as a payload may. */
import type { HistoryPart } from "../port.js";
import { CLOCK, type Connection, type Statement } from "./connection.js";
import { type RecordRow, toRecord } from "./rows.js";

/** One row more than asked for tells whether there are more. `octet_length` reads no value that is stored elsewhere. */
const readHistoryPart: Statement = {
  name: "read_history",
  text: `
SELECT r.id IS NOT NULL AS known, p.n, p.kind, p.key, p.value, p.at, p.last, ${CLOCK}
FROM (SELECT 1) one
LEFT JOIN aiki.run r ON r.ns = $1 AND r.id = $2
LEFT JOIN LATERAL (
  SELECT n, kind, key, at, value, row_number() OVER (ORDER BY n) AS place, max(n) OVER () AS last,
    sum(octet_length(value)) OVER (ORDER BY n) - octet_length(value) AS before
  FROM (
    SELECT n, kind, key, at, value FROM aiki.record
    WHERE ns = $1 AND run_id = $2 AND n > $3::int
    ORDER BY n LIMIT $4::int + 1
  ) next
) p ON p.before < $5::int AND p.place <= $4::int
ORDER BY p.n`,
};

interface PartRow extends Partial<RecordRow> {
  readonly known: boolean;
  readonly at: number | null;
  readonly last: number | null;
}

export async function readHistory(
  connection: Connection,
  ns: string,
  runId: string,
  after: number,
  limit: number,
  maxBytes: number,
): Promise<HistoryPart | undefined> {
  const rows = (await connection.run(readHistoryPart, [ns, runId, after, limit, maxBytes])) as unknown as PartRow[];
  const [first] = rows;
  if (!first?.known) return undefined;
  const records = rows.flatMap((row) => (row.at === null ? [] : [{ ...toRecord(row as RecordRow), at: row.at }]));
  return { records, more: (records.at(-1)?.n ?? 0) < (first.last ?? 0) };
}
