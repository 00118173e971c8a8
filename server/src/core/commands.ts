/** What an answer asks for, turned into records. */
import { type Command, childRunId, inputHash, LIMITS, parseEntryKey } from "@aikirun/protocol/canonical";
import { type Draft, RUN_KEY } from "./draft.js";
import { isOpen } from "./state.js";

const KIND_OF = {
  "task.completed": "task",
  "task.failed": "task",
  "task.retry": "task",
  sleep: "sleep",
  "sleep.close": "sleep",
  "event.wait": "event",
  "event.close": "event",
  "child.start": "child",
  "child.wait": "wait",
  "wait.close": "wait",
} as const;

/** Why an answer's commands cannot be applied, or undefined. An answer is hostile until this says otherwise. */
export function faultOf(commands: readonly Command[], draft: Draft): string | undefined {
  /** Keys that the answer opens. */
  const opened = new Set<string>();
  const closed = new Set<string>();
  for (const [index, command] of commands.entries()) {
    if (endsAttempt(command)) {
      if (index !== commands.length - 1) return `${command.type} is not the last command`;
      continue;
    }
    const kind = parseEntryKey(command.key)?.kind;
    if (kind !== KIND_OF[command.type]) return `${command.type} names the entry ${command.key}`;
    if (command.type === "child.wait" && !opened.has(command.child) && draft.entry(command.child)?.kind !== "child") {
      return `child.wait names ${command.child}, which was not started`;
    }
    if (isClose(command)) {
      const entry = draft.entry(command.key);
      if (!entry && !opened.has(command.key)) return `${command.type} names ${command.key}, which was not opened`;
      if (!entry || isOpen(entry)) closed.add(command.key);
    } else if (!command.type.startsWith("task.")) opened.add(command.key);
  }
  const open = [...draft.openEntries()].length + opened.size - closed.size;
  return open > LIMITS.openWaits ? `${open} waits would be open; a run may have ${LIMITS.openWaits}` : undefined;
}

function isClose(command: Command): command is Extract<Command, { type: `${string}.close` }> {
  return command.type.endsWith(".close");
}

/** Applies one command. One that the history already answers changes nothing. */
export function apply(command: Command, draft: Draft): void {
  switch (command.type) {
    case "task.completed":
    case "task.failed":
    case "task.retry":
      return applyTask(command, draft);
    case "sleep":
      if (draft.entry(command.key)) return;
      return draft.put({
        kind: "sleep",
        key: command.key,
        value: { state: "sleeping", wakeAt: after(command.durationMs, draft) },
      });
    case "event.wait":
      if (draft.entry(command.key)) return;
      return draft.put({ kind: "event", key: command.key, value: waiting(command.timeoutMs, draft) });
    case "event.close":
    case "sleep.close":
    case "wait.close":
      return draft.close(command.key);
    case "child.start":
      return startChild(command, draft);
    case "child.wait":
      return waitForChild(command, draft);
    case "run.retry":
      return retryRun(command, draft);
    case "run.completed":
    case "run.failed":
      return;
  }
}

type EndOfAttempt = Extract<Command, { type: `run.${string}` }>;

/** Whether the handler has ended, so that an invocation ends with this command. */
export function endsAttempt(command: Command): command is EndOfAttempt {
  return command.type === "run.completed" || command.type === "run.failed" || command.type === "run.retry";
}

function retryRun({ error, delayMs, task }: Extract<Command, { type: "run.retry" }>, draft: Draft): void {
  const { runAttempt } = draft.state;
  const nextAttemptAt = after(delayMs, draft);
  const failed = task === undefined || draft.entry(task)?.kind !== "task" ? {} : { task };
  draft.put({ kind: "run", key: RUN_KEY, value: { state: "retrying", runAttempt, error, nextAttemptAt, ...failed } });
}

function after(durationMs: number, draft: Draft): number {
  return Math.ceil(draft.now.latest + durationMs);
}

function waiting(timeoutMs: number | undefined, draft: Draft) {
  return {
    state: "waiting" as const,
    ...(timeoutMs === undefined ? {} : { timeoutAt: after(timeoutMs, draft) }),
  };
}

type TaskCommand = Extract<Command, { type: `task.${string}` }>;

/** A task's outcome counts when its entry is absent or retrying and this is the attempt that comes next. */
function applyTask(command: TaskCommand, draft: Draft): void {
  const entry = draft.entry(command.key);
  if (entry && (entry.kind !== "task" || entry.value.state !== "retrying")) return;
  const attempts = command.taskAttempt;
  if (attempts !== (entry?.value.attempts ?? 0) + 1) return;
  const timing = command.timing === undefined ? {} : { timing: command.timing };
  if (command.type === "task.completed") {
    const output = command.output === undefined ? {} : { output: command.output };
    draft.put({ kind: "task", key: command.key, value: { state: "completed", attempts, ...output, ...timing } });
  } else if (command.type === "task.failed") {
    draft.put({
      kind: "task",
      key: command.key,
      value: { state: "failed", attempts, error: command.error, ...timing },
    });
  } else {
    const nextAttemptAt = after(command.delayMs, draft);
    const value = { state: "retrying" as const, attempts, error: command.error, nextAttemptAt, ...timing };
    draft.put({ kind: "task", key: command.key, value });
  }
}

function startChild(command: Extract<Command, { type: "child.start" }>, draft: Draft): void {
  if (draft.entry(command.key)) return;
  const { facts } = draft.state;
  const id = childRunId(facts.id, command.key);
  draft.put({ kind: "child", key: command.key, value: { state: "started", runId: id } });
  draft.children.push({
    facts: {
      ns: facts.ns,
      id,
      workflow: command.workflow,
      version: command.version,
      input: command.input,
      reference: command.reference,
      retry: command.retry,
      timeoutMs: command.timeoutMs,
      pool: command.pool ?? facts.pool,
      parent: { id: facts.id, key: command.key },
    },
    requestHash: inputHash([command.workflow, command.version, command.input ?? null]),
    delayMs: command.delayMs,
  });
}

function waitForChild(command: Extract<Command, { type: "child.wait" }>, draft: Draft): void {
  if (draft.entry(command.key)) return;
  draft.put({ kind: "wait", key: command.key, value: waiting(command.timeoutMs, draft) });
  const child = draft.entry(command.child);
  if (child?.kind === "child" && child.value.state === "ended") {
    draft.put({ kind: "wait", key: command.key, value: { state: "ended" } });
    draft.news = true;
  }
}
