/**
 * Lists of runs, newest first. A filter can ask for anything together, and no index answers every question; so a page is
 * looked for among a bounded number of runs that one index gives in order, the narrowest that the filter names. What is
 * not found among them is the next page's to look for. No page reads a whole table, whatever is asked.
 */
import type { RunFilter, RunList } from "../port.js";
import type { Connection, Row, Value } from "./connection.js";
import { type ListQuery, listQuery, ordered, SCANNED, type Span, scanOf, within } from "./list-scan.js";
import { type SummaryRow, toSummary } from "./rows.js";

/** Greater than any text that begins with what stands before it. */
const LAST_CHARACTER = "\u{10ffff}";
/** Whatever an id has after this, it is not above the id. */
const JUST_ABOVE = "0";

export async function listRuns(
  connection: Connection,
  ns: string,
  filter: RunFilter,
  cursor: string | undefined,
  limit: number,
): Promise<RunList> {
  if (filter.status?.length === 0) return { runs: [], next: undefined };
  const ask = async (query: ListQuery, text: string) => connection.run({ name: undefined, text }, query.values);
  const span = await spanOf(ask, ns, filter, cursor);
  const page = listQuery(ns, span.cursor ?? cursor);
  const found = await ask(page, summaries(scanOf(page, filter, span), conditions(page, filter), page.add(limit)));
  const runs = (found as unknown as readonly SummaryRow[]).map(toSummary);
  if (runs.length === limit) return { runs, next: runs.at(-1)?.id };
  if (Object.keys(filter).length === 0) return { runs, next: undefined };
  const looked = listQuery(ns, span.cursor ?? cursor);
  const [end] = await ask(
    looked,
    `SELECT count(*)::int AS n, min(id) AS last FROM (${scanOf(looked, filter, span)}) s`,
  );
  return { runs, next: end?.["n"] === SCANNED ? (end["last"] as string) : undefined };
}

type Ask = (query: ListQuery, text: string) => Promise<Row[]>;

/**
 * Whether an index that is not in the order of ids holds few enough of what is asked for: all runs whose reference begins
 * so, or all that were created then. Of many created before an instant, the page begins about there.
 */
async function spanOf(ask: Ask, ns: string, filter: RunFilter, cursor: string | undefined): Promise<Span> {
  const { q, createdAfter, createdBefore, reference, parent, schedule } = filter;
  if (reference !== undefined || parent !== undefined || schedule !== undefined) return {};
  // In the order of the index, so that no table is read instead.
  const isNarrow = async (query: ListQuery, where: string, order: string) => {
    const some = `SELECT FROM aiki.run WHERE ns = $1 AND ${where} ORDER BY ${order} LIMIT ${SCANNED + 1}`;
    const [row] = await ask(query, `SELECT count(*)::int AS n FROM (${some}) s`);
    return (row?.["n"] as number) <= SCANNED;
  };
  const probe = listQuery(ns, undefined);
  if (q !== undefined && (await isNarrow(probe, referenceBegins(probe, q), "reference"))) {
    return { narrow: (query) => within(query, referenceBegins(query, q)), ids: (query) => idsBegin(query, q) };
  }
  if (createdAfter === undefined && createdBefore === undefined) return {};
  const timed = listQuery(ns, undefined);
  if (await isNarrow(timed, created(timed, filter), "created_at"))
    return { narrow: (query) => within(query, created(query, filter)) };
  if (createdBefore === undefined || cursor !== undefined) return {};
  const from = listQuery(ns, undefined);
  const newest = `SELECT id FROM aiki.run WHERE ns = $1 AND ${created(from, filter)} ORDER BY created_at DESC LIMIT ${SCANNED}`;
  const [row] = await ask(from, `SELECT max(id) AS id FROM (${newest}) s`);
  return { cursor: `${row?.["id"] as string}${JUST_ABOVE}` };
}

function referenceBegins(query: ListQuery, q: string): string {
  return `reference >= ${query.add(q)} AND reference < ${query.add(q + LAST_CHARACTER)}`;
}

function idsBegin(query: ListQuery, q: string): string[] {
  return [q, `run_${q}`].map((begin) =>
    ordered(query, "aiki.run", "id", `id >= ${query.add(begin)} AND id < ${query.add(begin + LAST_CHARACTER)}`),
  );
}

/** The first part is the predicate of the index. */
function created(query: ListQuery, { createdAfter, createdBefore }: RunFilter): string {
  const after = createdAfter === undefined ? "" : ` AND created_at > ${query.add(createdAfter)}`;
  const before = createdBefore === undefined ? "" : ` AND created_at < ${query.add(createdBefore)}`;
  return `created_at > 0${after}${before}`;
}

/** Everything that the filter asks of a run `r` and its status. */
function conditions(query: ListQuery, filter: RunFilter): string[] {
  const { status, workflow, version, reference, parent, schedule, q } = filter;
  const equals = (column: string, value: Value | undefined) =>
    value === undefined ? [] : [`${column} = ${query.add(value)}`];
  const begins = (column: string, text: string) => `starts_with(${column}, ${query.add(text)})`;
  return [
    ...(status ? [`COALESCE(r.status, a.status) = ANY (${query.add([...status])}::text[])`] : []),
    ...equals("r.workflow", workflow),
    ...equals("r.version", version),
    ...equals("r.reference", reference),
    // A reference belongs to its scope: a child's to its parent, any other to the workflow version.
    ...(reference === undefined || parent !== undefined ? [] : ["r.parent_id IS NULL"]),
    ...equals("r.parent_id", parent),
    ...equals("r.schedule_id", schedule),
    created(query, filter),
    ...(q === undefined
      ? []
      : [`(${begins("r.id", q)} OR ${begins("r.id", `run_${q}`)} OR ${begins("r.reference", q)})`]),
  ];
}

/** Each run is looked up by itself, in the order of the scan, and no further than the page needs. */
function summaries(scan: string, where: readonly string[], limit: string): string {
  return `
SELECT r.id, r.workflow, r.version, COALESCE(r.status, a.status) AS status, r.reference, r.parent_id AS "parentId",
  r.schedule_id AS "scheduleId", r.created_at AS "createdAt", r.ended_at AS "endedAt"
FROM (${scan}) s
CROSS JOIN LATERAL (SELECT * FROM aiki.run WHERE ns = $1 AND id = s.id OFFSET 0) r
LEFT JOIN LATERAL (SELECT status FROM aiki.actor WHERE ns = $1 AND run_id = s.id OFFSET 0) a ON true
WHERE ${where.join(" AND ")}
ORDER BY s.id DESC
LIMIT ${limit}::int`;
}
