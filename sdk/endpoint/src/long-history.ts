/** History that is too long for a push: read from the orchestrator, page by page. */
import {
  type ExecuteRequest,
  type HistoryRecord,
  LIMITS,
  pushedHistorySchema,
  type ReplayRequest,
} from "@aikirun/protocol";
import { HttpFailure, type HttpSend } from "@aikirun/protocol/http";
import { Refusal } from "./refusal.js";

const PAGE_MS = 30_000;
/** A page ends with the record that fills it, which may be as large as a payload. */
const PAGE_BYTES = LIMITS.historyBytes + LIMITS.bodyBytes;

/** The push's slice of the history with all its records. Throws a `Refusal` that makes the orchestrator try again later. */
export async function wholeSlice({ history, checkpoint }: ExecuteRequest, send: HttpSend): Promise<ReadHistory> {
  const { url, head, after } = history;
  if (url === undefined) return { records: history.records, bytes: 0 };
  return readHistory({ url, token: checkpoint?.token ?? "", after: after?.n ?? 0, upTo: head.n }, send);
}

/** The whole history that a replay is asked for. Throws as above. */
export async function wholeHistory(
  history: ReplayRequest["history"],
  send: HttpSend,
): Promise<readonly HistoryRecord[]> {
  return "url" in history ? (await readHistory({ ...history, after: 0 }, send)).records : history.records;
}

interface ReadHistory {
  readonly records: readonly HistoryRecord[];
  readonly bytes: number;
}

interface Elsewhere {
  readonly url: string;
  readonly token: string;
  readonly after: number;
  readonly upTo: number;
}

async function readHistory({ url, token, after, upTo }: Elsewhere, send: HttpSend): Promise<ReadHistory> {
  const headers = { accept: "application/json", authorization: `Bearer ${token}` };
  const records: HistoryRecord[] = [];
  let bytes = 0;
  for (let from: number | undefined = after; from !== undefined && from < upTo; ) {
    const page = await readPage(send, `${url}?after=${from}`, headers);
    bytes += page.bytes;
    // What was recorded since it was asked for is not part of it.
    records.push(...page.records.filter(({ n }) => n <= upTo));
    from = page.next;
  }
  return { records, bytes };
}

async function readPage(send: HttpSend, url: string, headers: Record<string, string>) {
  try {
    const { status, text } = await send({ method: "GET", url, headers, timeoutMs: PAGE_MS, maxBytes: PAGE_BYTES });
    if (status !== 200) throw unreadable(url, `it answered ${status}`);
    return { ...pushedHistorySchema.parse(JSON.parse(text)), bytes: text.length };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw unreadable(url, error instanceof HttpFailure ? error.message : "it answered something else than a history");
  }
}

function unreadable(url: string, reason: string): Refusal {
  const message = "This app could not read the run's history from the orchestrator. Its log says why.";
  return new Refusal(503, "ORCHESTRATOR_UNREACHABLE", message, {
    reason: `Cannot read a long history from ${url} (${reason}). AIKI_PUBLIC_URL of the orchestrator must be an address that this app can reach.`,
    headers: { "retry-after": "5" },
  });
}
