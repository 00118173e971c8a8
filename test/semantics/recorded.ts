/**
 * The histories of the runs that a test has brought to their end, as text without what no two runs share. Each test's are
 * held against `recorded/`, one file for all modes: a run is recorded in the same way however its code is reached.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@aikirun/client";
import { type HistoryRecord, parseEntryKey, type Run, type RunSummary, type WireError } from "@aikirun/protocol";

/** How long runs that a test did not wait for may take to come to rest. */
const REST_MS = 5_000;
const LOOK_MS = 20;
const AT_A_TIME = 20;
const PAGE = 500;

/** Of all runs of this client's namespace that have ended and were not told before; `told` remembers them. */
export async function recordedRuns(aiki: Client, told: Set<string>): Promise<string> {
  const ended = (await atRest(aiki)).filter((run) => run.endedAt !== undefined && !told.has(run.id));
  const texts: string[] = [];
  for (let i = 0; i < ended.length; i += AT_A_TIME) {
    texts.push(...(await Promise.all(ended.slice(i, i + AT_A_TIME).map(({ id }) => recordedRun(aiki, id)))));
  }
  for (const { id } of ended) told.add(id);
  const counts = new Map<string, number>();
  for (const text of texts.sort()) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => (count === 1 ? text : `${count} × ${text}`)).join("\n");
}

/** Every run has ended or waits for something. */
async function atRest(aiki: Client): Promise<RunSummary[]> {
  const deadline = performance.now() + REST_MS;
  for (;;) {
    const runs = await allRuns(aiki);
    const moving = runs.some(({ status }) => status === "running" || status === "queued");
    if (!moving || performance.now() > deadline) return runs;
    await delay(LOOK_MS);
  }
}

async function allRuns(aiki: Client): Promise<RunSummary[]> {
  const found: RunSummary[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await aiki.listRuns({ limit: PAGE, ...(cursor !== undefined && { cursor }) });
    found.push(...page.runs);
    cursor = page.next;
  }
  return found;
}

async function recordedRun(aiki: Client, id: string): Promise<string> {
  const run = await aiki.getRun(id);
  const lines: string[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page = await aiki.readHistory(id, { after });
    lines.push(...page.records.map((record) => `  ${lineOf(record)}`));
    after = page.next;
  }
  return [headOf(run), ...lines].join("\n").replace(/\b(run|msg)_[0-9a-hjkmnp-tv-z]{26}\b/g, "$1_…");
}

function headOf({ workflow, version, status, runAttempt, output, error, reason }: Run): string {
  const what = { ...(output !== undefined && { output }), ...(error && { error: errorOf(error) }), reason };
  return `${workflow}@${version} ${status}, attempt ${runAttempt} ${JSON.stringify(what)}`;
}

function lineOf({ key, value }: HistoryRecord): string {
  const { state } = value;
  const more = {
    attempts: "attempts" in value ? value.attempts : undefined,
    runAttempt: "runAttempt" in value ? value.runAttempt : undefined,
    due: "due" in value ? value.due : undefined,
    status: "status" in value ? value.status : undefined,
    output: "output" in value ? value.output : undefined,
    data: "data" in value ? value.data : undefined,
    timed: "timeoutAt" in value ? true : undefined,
    timeoutMs: "timeoutMs" in value ? value.timeoutMs : undefined,
    error: "error" in value && value.error ? errorOf(value.error) : undefined,
    task: "task" in value && value.task !== undefined ? shortKey(value.task) : undefined,
  };
  const text = JSON.stringify(more);
  return `${shortKey(key)} ${state}${text === "{}" ? "" : ` ${text}`}`;
}

/** Eight digits of a hash tell inputs apart as well as sixty-four. */
function shortKey(key: string): string {
  const { kind, address, index } = parseEntryKey(key) ?? { kind: key, address: "", index: 0 };
  return `${kind}:${address.replace(/[0-9a-f]{64}/, (hash) => hash.slice(0, 8))}#${index}`;
}

function errorOf({ name, code, message, cause }: WireError): object {
  return { name, code, message, cause: cause ? errorOf(cause) : undefined };
}
