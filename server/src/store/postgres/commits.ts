/** `commit`, grouped: the transitions of many runs that arrive together are one statement. */
import type { Commit } from "../../core/run.js";
import type { CommitOutcome } from "../port.js";
import { retryDuplicates } from "./appends.js";
import { commitMany, commitPlain } from "./commit-many.js";
import { commitOne, endOne } from "./commit-one.js";
import type { Connection, Row, Value } from "./connection.js";
import { faultOf } from "./faults.js";
import { Merge } from "./merge.js";
import { toText, troubleText } from "./rows.js";

interface Held {
  readonly commit: Commit;
  readonly leaseMs: number;
}

export function commits(connection: Connection, maxCalls: number): (held: Held) => Promise<CommitOutcome> {
  const merge = new Merge<Held, CommitOutcome>({
    maxCalls,
    touched: ({ commit }) => touchedBy(commit),
    run: (calls) => {
      const [only, ...others] = calls;
      return only && others.length === 0 && isPlain(only.commit)
        ? commitAlone(connection, only)
        : together(connection, calls);
    },
    isPoisoned: (error) => faultOf(error) === "data",
  });
  return (held) => merge.add(held);
}

/** The run itself is changed once, so nobody may message it meanwhile; runs that get messages may get several. */
function touchedBy({ ns, runId, messages }: Commit): { own: string[]; shared: string[] } {
  return {
    own: [JSON.stringify([ns, runId]), ...messages.map((to) => JSON.stringify([ns, to.runId, to.eventId]))],
    shared: messages.map((to) => JSON.stringify([ns, to.runId])),
  };
}

function isPlain({ messages, children }: Commit): boolean {
  return messages.length === 0 && children.length === 0;
}

async function commitAlone(connection: Connection, { commit, leaseMs }: Held): Promise<CommitOutcome[]> {
  const { ns, runId, fence, commitId, seen, queued, paused, startAt, records, trouble, next } = commit;
  const who = [ns, runId, fence.epoch, fence.gen, fence.seq, commitId, seen];
  const recorded = [
    records.map(({ n }) => n),
    records.map(({ kind }) => kind),
    records.map(({ key }) => key),
    records.map(({ value }) => JSON.stringify(value)),
  ];
  if (next.type === "end") {
    const end = [next.status, toText(next.output), toText(next.error), next.failedTask ?? null, toText(next.reason)];
    const rows = await connection.run(endOne, [...who, ...end, ...recorded, queued]);
    return [outcomeOf(rows[0]?.["mail_seq"], rows[0]?.["unread"])];
  }
  const keeps = next.type === "keep";
  const state = [queued, paused, troubleText(trouble), progresses(commit), keeps ? "running" : next.status];
  const due = [keeps ? leaseMs : null, keeps ? null : next.dueAt];
  const rows = await connection.run(commitOne, [...who, ...state, ...due, ...recorded, startAt ?? null, retakes(next)]);
  return [outcomeOf(rows[0]?.["mail_seq"], false)];
}

function retakes(next: Commit["next"]): boolean {
  return next.type === "keep" && next.retakes === true;
}

/** New records are progress, and so is a park: the holder came to a decision. */
function progresses({ records, next }: Commit): boolean {
  return records.length > 0 || next.type === "park";
}

async function together(connection: Connection, calls: readonly Held[]): Promise<CommitOutcome[]> {
  const own = [...transitionColumns(calls), ...recordColumns(calls)];
  const rows = calls.every(({ commit }) => isPlain(commit))
    ? await connection.run(commitPlain, own)
    : await retryDuplicates(() =>
        connection.run(commitMany, [...own, ...messageColumns(calls), ...childColumns(calls)]),
      );
  const outcomes: CommitOutcome[] = calls.map(() => ({ type: "fenced" }));
  for (const row of rows as readonly Row[]) {
    if (typeof row["place"] === "number") outcomes[row["place"]] = outcomeOf(row["mail_seq"], row["unread"]);
  }
  return outcomes;
}

function outcomeOf(mailSeq: unknown, unread: unknown): CommitOutcome {
  if (unread === true) return { type: "unread" };
  return typeof mailSeq === "number" ? { type: "committed", mailSeq } : { type: "fenced" };
}

function transitionColumns(calls: readonly Held[]): Value[] {
  const column = (pick: (commit: Commit, leaseMs: number) => string | number | boolean | null | undefined) =>
    calls.map(({ commit, leaseMs }) => pick(commit, leaseMs) ?? null);
  const end = ({ next }: Commit) => (next.type === "end" ? next : undefined);
  return [
    calls.map((_, place) => place),
    column(({ ns }) => ns),
    column(({ runId }) => runId),
    column(({ fence }) => fence.epoch),
    column(({ fence }) => fence.gen),
    column(({ fence }) => fence.seq),
    column(({ commitId }) => commitId),
    column(({ seen }) => seen),
    column(({ queued }) => `{${queued.join(",")}}`),
    column(({ paused }) => paused),
    column(({ trouble }) => troubleText(trouble)),
    column((commit) => progresses(commit)),
    column(({ next }) => (next.type === "keep" ? "running" : next.status)),
    column(({ next }, leaseMs) => (next.type === "keep" ? leaseMs : null)),
    column(({ next }) => (next.type === "park" ? next.dueAt : null)),
    column(({ next }) => next.type === "end"),
    column((commit) => toText(end(commit)?.output)),
    column((commit) => toText(end(commit)?.error)),
    column((commit) => end(commit)?.failedTask),
    column((commit) => toText(end(commit)?.reason)),
    column(({ startAt }) => startAt),
    column(({ next }) => retakes(next)),
  ];
}

/** Every row of a commit takes the namespace of the commit: a message or a child cannot leave it. */
function messageColumns(calls: readonly Held[]): Value[] {
  const all = calls.flatMap(({ commit }, place) =>
    commit.messages.map((message, nth) => ({ commit, place, message, nth })),
  );
  return [
    all.map(({ place }) => place),
    all.map(({ nth }) => nth),
    all.map(({ commit }) => commit.ns),
    all.map(({ message }) => message.runId),
    all.map(({ message }) => message.eventId),
    all.map(({ message }) => message.body.kind),
    all.map(({ message }) => JSON.stringify(message.body)),
  ];
}

function recordColumns(calls: readonly Held[]): Value[] {
  const all = calls.flatMap(({ commit }, place) => commit.records.map((record) => ({ place, record })));
  return [
    all.map(({ place }) => place),
    all.map(({ record }) => record.n),
    all.map(({ record }) => record.kind),
    all.map(({ record }) => record.key),
    all.map(({ record }) => JSON.stringify(record.value)),
  ];
}

function childColumns(calls: readonly Held[]): Value[] {
  const all = calls.flatMap(({ commit }, place) => commit.children.map((child) => ({ place, child })));
  return [
    all.map(({ place }) => place),
    all.map(({ child }) => child.facts.id),
    all.map(({ child }) => child.facts.parent?.key ?? ""),
    all.map(({ child }) => child.facts.workflow),
    all.map(({ child }) => child.facts.version),
    all.map(({ child }) => toText(child.facts.input)),
    all.map(({ child }) => child.facts.reference ?? null),
    all.map(({ child }) => toText(child.facts.retry)),
    all.map(({ child }) => child.facts.timeoutMs ?? null),
    all.map(({ child }) => child.facts.pool ?? null),
    all.map(({ child }) => child.requestHash),
    all.map(({ child }) => child.delayMs ?? null),
  ];
}
