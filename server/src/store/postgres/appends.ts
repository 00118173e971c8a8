/** `append`, grouped: what arrives together is one statement, several messages to one run included. */

import type { RunStatus } from "@aikirun/protocol";
import type { LoadedRun, NewMessage } from "../../core/run.js";
import type { AppendOutcome } from "../port.js";
import { appendMessage, appendMessages, explainAppend } from "./append-message.js";
import type { Connection } from "./connection.js";
import { brokenConstraint, faultOf } from "./faults.js";
import { Merge } from "./merge.js";
import { loadLeased } from "./read-runs.js";

const RACED_FOR: ReadonlySet<string | undefined> = new Set(["mailbox_event_id", "mailbox_pkey", "record_pkey"]);

interface Append {
  readonly message: NewMessage;
  readonly maxQueued: number;
  /** Set: a message that goes alone takes the lease of its run with it. */
  readonly leaseMs: number | undefined;
}

interface Appended {
  readonly n: number;
  readonly held: LoadedRun | undefined;
}

export function appends(connection: Connection, maxCalls: number): (append: Append) => Promise<AppendOutcome> {
  const merge = new Merge<Append, Appended | undefined>({
    maxCalls,
    // Many messages to one run go together; the same message twice does not.
    touched: ({ message: { ns, runId, eventId } }) => ({ own: [JSON.stringify([ns, runId, eventId])], shared: [] }),
    run: async (calls) => {
      const [only, ...others] = calls;
      if (only && others.length === 0) return [await appendOne(connection, only)];
      return appendMany(connection, calls);
    },
    isPoisoned: (error) => faultOf(error) === "data",
  });
  return async (append) => {
    // A run that ends while it is explained why it could not be appended to is asked about again.
    for (let attempt = 0; attempt < 10; attempt++) {
      const appended = await merge.add(append);
      if (appended) return { type: "appended", n: appended.n, ...(appended.held && { held: appended.held }) };
      const refusal = await explain(connection, append);
      if (refusal) return refusal;
    }
    throw new Error(`The run ${append.message.runId} is live but takes no message: its actor row is missing.`);
  };
}

async function appendOne(connection: Connection, append: Append): Promise<Appended | undefined> {
  const { message, maxQueued, leaseMs = null } = append;
  const { ns, runId, eventId, body } = message;
  const values = [ns, runId, eventId, body.kind, JSON.stringify(body), maxQueued, leaseMs];
  try {
    const [row] = await connection.run(appendMessage, values);
    const n = numberOf(row?.["appended"]);
    if (!row || n === undefined) return undefined;
    const [past] = row["taken"] ? await loadLeased(connection, [row]) : [];
    if (!past) return { n, held: undefined };
    // Read with the lease, its mail is older than the message that came with it.
    if (past.mail.some((mail) => mail.n === n)) return { n, held: past };
    const own = { n, acceptedAt: row["accepted_at"] as number, body };
    return { n, held: { ...past, mail: [...past.mail, own] } };
  } catch (error) {
    if (brokenConstraint(error) === "mailbox_event_id") return undefined;
    throw error;
  }
}

async function appendMany(connection: Connection, calls: readonly Append[]): Promise<(Appended | undefined)[]> {
  const values = [
    calls.map((_, place) => place),
    calls.map(({ message }) => message.ns),
    calls.map(({ message }) => message.runId),
    calls.map(({ message }) => message.eventId),
    calls.map(({ message }) => message.body.kind),
    calls.map(({ message }) => JSON.stringify(message.body)),
    calls.map(({ maxQueued }) => maxQueued),
  ];
  const rows = await retryDuplicates(() => connection.run(appendMessages, values));
  const appended: (Appended | undefined)[] = calls.map(() => undefined);
  for (const { place, n } of rows) {
    if (typeof place === "number" && typeof n === "number") appended[place] = { n, held: undefined };
  }
  return appended;
}

/**
 * A statement that skips the duplicates it sees, and numbers after the messages it sees, breaks a unique key only on one
 * that was committed after it began. The next one sees that too.
 */
export async function retryDuplicates<T>(statement: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await statement();
    } catch (error) {
      if (!RACED_FOR.has(brokenConstraint(error)) || attempt >= 10) throw error;
    }
  }
}

async function explain(connection: Connection, { message, maxQueued }: Append): Promise<AppendOutcome | undefined> {
  const rows = await connection.run(explainAppend, [message.ns, message.runId, message.eventId, maxQueued]);
  const row = rows[0];
  if (!row) return { type: "unknown" };
  if (row["duplicate"]) return { type: "duplicate" };
  if (row["status"] !== null) return { type: "ended", status: row["status"] as RunStatus };
  if (row["full"] && message.body.kind === "event") return { type: "too_many_queued" };
  return undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
