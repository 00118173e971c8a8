/** What the address says about which runs, as the API takes it. */
import type { BulkFilter, RunStatus } from "@aikirun/protocol";
import type { Query } from "../../api/request.js";
import { STATUSES } from "../../parts/status.js";
import type { RunSearch } from "../../shell/router.js";

const MINUTE_MS = 60_000;
export const SINCE: Readonly<Record<string, { readonly name: string; readonly lengthMs: number }>> = {
  "15m": { name: "Last 15 minutes", lengthMs: 15 * MINUTE_MS },
  "1h": { name: "Last hour", lengthMs: 60 * MINUTE_MS },
  "24h": { name: "Last 24 hours", lengthMs: 24 * 60 * MINUTE_MS },
  "7d": { name: "Last 7 days", lengthMs: 7 * 24 * 60 * MINUTE_MS },
  "30d": { name: "Last 30 days", lengthMs: 30 * 24 * 60 * MINUTE_MS },
};

export function statusesOf({ status }: RunSearch): RunStatus[] {
  const asked = status?.split(",") ?? [];
  return STATUSES.filter((one) => asked.includes(one));
}

/** `now` is rounded to the minute by the caller, so that the same filter is the same request. */
export function queryOf(search: RunSearch, now: number): Query {
  const { workflow, version, reference, schedule, parent, q } = search;
  const statuses = statusesOf(search);
  return {
    ...(statuses.length > 0 && { status: statuses.join(",") }),
    ...(workflow && { workflow }),
    ...(version && { version }),
    ...(reference && { reference }),
    ...(schedule && { schedule }),
    ...(parent && { parent }),
    ...(q?.trim() && { q: q.trim() }),
    ...times(search, now),
  };
}

export function bulkFilterOf(search: RunSearch, now: number, statuses: readonly RunStatus[]): BulkFilter {
  const { workflow, version, reference, schedule, parent } = search;
  return {
    ...(statuses.length > 0 && { status: [...statuses] }),
    ...(workflow && { workflow }),
    ...(version && { version }),
    ...(reference && { reference }),
    ...(schedule && { schedule }),
    ...(parent && { parent }),
    ...times(search, now),
  };
}

function times({ since, after, before }: RunSearch, now: number): { createdAfter?: number; createdBefore?: number } {
  const range = since === undefined ? undefined : SINCE[since];
  const from = range ? now - range.lengthMs : instantOf(after);
  const to = instantOf(before);
  return { ...(from !== undefined && { createdAfter: from }), ...(to !== undefined && { createdBefore: to }) };
}

function instantOf(text: string | undefined): number | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

/** The filter in words, for a question before something is done to all that it names. */
export function filterText(search: RunSearch): string {
  const { workflow, version, reference, schedule, parent, since, after, before } = search;
  const words = [
    workflow && `of ${workflow}${version ? `@${version}` : ""}`,
    reference && `with the reference ${reference}`,
    schedule && `of the schedule ${schedule}`,
    parent && `that ${parent} started`,
    since && SINCE[since] && `of the ${SINCE[since].name.toLowerCase()}`,
    !since && after && `since ${after}`,
    before && `before ${before}`,
  ].filter(Boolean);
  return words.length === 0 ? "of every workflow" : words.join(", ");
}
