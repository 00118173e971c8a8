/** The least that plays the orchestrator's part: commands become records, open timers and waits are settled on demand. */
import type { Command, HistoryRecord, JsonValue, PushedRun, ReplayAnswer } from "@aikirun/protocol";
import { childRunId, hiddenByRetry, parseEntryKey } from "@aikirun/protocol/canonical";
import type { ServableVersion } from "@aikirun/workflow";
import {
  type Checkpointed,
  compare,
  defaultHost,
  type ExecuteOptions,
  type Execution,
  execute,
  type Host,
  type Logger,
} from "@aikirun/workflow/replay";

export const RUN_ID = "run_01kaqsxkz00000000000000000";

export function pushedRun(workflow: ServableVersion, input?: JsonValue): PushedRun {
  return {
    id: RUN_ID,
    workflow: workflow.name,
    version: workflow.versionId,
    ...(input !== undefined && { input }),
    runAttempt: 1,
    createdAt: 0,
    options: {},
  };
}

/** The real event loop with a clock that stands still and no chance. */
export const stillHost: Host = { ...defaultHost, now: () => 0, random: () => 0 };
export const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** As it is written down: no stacks, which name the places of this checkout. */
export function withoutStacks<Value>(value: Value): Value {
  return value && JSON.parse(JSON.stringify(value, (key, member) => (key === "stack" ? undefined : member)));
}

type RecordBody = HistoryRecord extends infer R ? (R extends HistoryRecord ? Omit<R, "n"> : never) : never;

/** One run: its history, and what could happen to it next. */
export class Orchestrator {
  readonly records: HistoryRecord[] = [];
  readonly workflow: ServableVersion;
  readonly run: PushedRun;
  /** Events that were sent and not received. */
  readonly mailbox = new Map<string, JsonValue[]>();
  pushes = 0;
  logger: Logger = silent;

  constructor(workflow: ServableVersion, input?: JsonValue) {
    this.workflow = workflow;
    this.run = pushedRun(workflow, input);
  }

  push(options: Partial<ExecuteOptions> = {}): Promise<Execution> {
    this.pushes++;
    return execute(this.#invocation(options));
  }

  compare(options: Partial<ExecuteOptions> = {}): Promise<ReplayAnswer | undefined> {
    return compare(this.#invocation(options));
  }

  #invocation(options: Partial<ExecuteOptions>): ExecuteOptions {
    const { workflow, logger } = this;
    const retries = this.records.filter(({ value }) => value.state === "retried").length;
    const run = { ...this.run, runAttempt: 1 + retries };
    return { workflow, run, records: [...this.records], host: stillHost, logger, graceMs: 20, ...options };
  }

  /** Pushes, commits and settles everything at once until the run has ended. Gives the end's state. */
  async finish(settleNext: (open: string[]) => string | undefined = (open) => open[0]) {
    for (let round = 0; round < 500; round++) {
      const answer = await this.push();
      if (answer.state === "diverged") throw new Error(`diverged: ${JSON.stringify(answer.divergence)}`);
      this.commit(answer.commands);
      const end = this.end();
      if (end) return end;
      if (answer.state === "more") continue;
      const next = settleNext(this.open());
      if (next === undefined) throw new Error(`stuck with ${JSON.stringify(this.records)}`);
      this.settle(next);
    }
    throw new Error("no end after 500 pushes");
  }

  end() {
    const last = this.records.at(-1);
    const ended = last?.value.state === "completed" || last?.value.state === "failed";
    return last?.kind === "run" && ended ? last.value : undefined;
  }

  commit(commands: readonly Command[]): void {
    for (const command of commands) {
      for (const body of recordsOf(command, this)) this.append(body);
    }
  }

  /** Commits a checkpoint, and what happens then is its news. */
  record(commands: readonly Command[], happens: () => void = () => {}): Checkpointed & { type: "committed" } {
    const from = this.records.length;
    this.commit(commands);
    happens();
    const records = structuredClone(this.records.slice(from).filter(isNews));
    return { type: "committed", records, answer: false };
  }

  append(body: RecordBody): void {
    this.records.push(structuredClone({ n: this.records.length + 1, ...body }) as HistoryRecord);
  }

  state(key: string): HistoryRecord | undefined {
    return this.#entries().get(key);
  }

  /** The last record of each key, without what a retry has hidden. */
  #entries(): Map<string, HistoryRecord> {
    const entries = new Map<string, HistoryRecord>();
    for (const record of this.records) {
      entries.set(record.key, record);
      if (record.value.state !== "retried") continue;
      for (const key of hiddenByRetry(entries.values())) entries.delete(key);
    }
    return entries;
  }

  /** Keys that wait for the orchestrator: a timer, an event, a child, a retry. */
  open(): string[] {
    return [...this.#entries()].flatMap(([key, entry]) => (this.#isOpen(key, entry) ? [key] : []));
  }

  #isOpen(key: string, { kind, value }: HistoryRecord): boolean {
    if (kind === "run") return value.state === "retrying";
    if (kind === "event") return value.state === "waiting" && (value.timeoutAt !== undefined || this.#mail(key));
    if (kind === "task") return value.state === "retrying" && !value.due;
    return value.state === "sleeping" || value.state === "started";
  }

  #mail(key: string): boolean {
    return (this.mailbox.get(parseEntryKey(key)?.address ?? "")?.length ?? 0) > 0;
  }

  settle(key: string, cancelled = false): void {
    const last = this.state(key) as HistoryRecord;
    if (last.kind === "sleep")
      this.append({ kind: "sleep", key, value: { state: cancelled ? "cancelled" : "completed" } });
    if (last.kind === "task" && last.value.state === "retrying") {
      this.append({ kind: "task", key, value: { ...last.value, due: true } });
    }
    if (last.kind === "run" && last.value.state === "retrying") {
      this.append({ kind: "run", key, value: { state: "retried", runAttempt: last.value.runAttempt + 1 } });
    }
    if (last.kind === "event") {
      const data = this.mailbox.get(parseEntryKey(key)?.address ?? "")?.shift();
      const value =
        data === undefined ? { state: "timedOut" as const } : { state: "received" as const, data, message: 1 };
      this.append({ kind: "event", key, value });
    }
    if (last.kind === "child") this.endChild(key, { status: "completed", output: `${key} done` });
  }

  endChild(key: string, end: { status: "completed" | "failed" | "cancelled"; output?: JsonValue }): void {
    this.append({ kind: "child", key, value: { state: "ended", runId: this.childId(key), ...end } });
    const waits = new Set(
      this.records.filter((r) => r.kind === "wait" && r.key.startsWith(`wait:${key}/`)).map((r) => r.key),
    );
    for (const wait of waits) {
      if (this.state(wait)?.value.state === "waiting")
        this.append({ kind: "wait", key: wait, value: { state: "ended" } });
    }
  }

  childId(key: string): string {
    return childRunId(this.run.id, key);
  }
}

/** An invocation knows the outcomes of its own tasks. */
function isNews({ kind, value }: HistoryRecord): boolean {
  return kind !== "task" || (value.state === "retrying" && value.due === true);
}

function recordsOf(command: Command, of: Orchestrator): RecordBody[] {
  switch (command.type) {
    case "task.completed": {
      const output = command.output === undefined ? {} : { output: command.output };
      return [
        { kind: "task", key: command.key, value: { state: "completed", attempts: command.taskAttempt, ...output } },
      ];
    }
    case "task.failed":
      return [
        {
          kind: "task",
          key: command.key,
          value: { state: "failed", attempts: command.taskAttempt, error: command.error },
        },
      ];
    case "task.retry": {
      const value = {
        state: "retrying" as const,
        attempts: command.taskAttempt,
        error: command.error,
        nextAttemptAt: 1,
      };
      return [{ kind: "task", key: command.key, value }];
    }
    case "sleep":
      return [{ kind: "sleep", key: command.key, value: { state: "sleeping", wakeAt: command.durationMs } }];
    case "event.wait": {
      const timeout = command.timeoutMs === undefined ? {} : { timeoutAt: command.timeoutMs };
      return [{ kind: "event", key: command.key, value: { state: "waiting", ...timeout } }];
    }
    case "event.close":
      return closed("event", command.key, of);
    case "sleep.close":
      return closed("sleep", command.key, of);
    case "wait.close":
      return closed("wait", command.key, of);
    case "child.start":
      return [{ kind: "child", key: command.key, value: { state: "started", runId: of.childId(command.key) } }];
    case "child.wait": {
      const ended = of.state(command.child)?.value.state === "ended";
      const waiting: RecordBody = { kind: "wait", key: command.key, value: { state: "waiting" } };
      return ended ? [waiting, { kind: "wait", key: command.key, value: { state: "ended" } }] : [waiting];
    }
    case "run.completed": {
      const output = command.output === undefined ? {} : { output: command.output };
      return [{ kind: "run", key: "run:#0", value: { state: "completed", ...output } }];
    }
    case "run.retry": {
      const runAttempt = 1 + of.records.filter(({ value }) => value.state === "retried").length;
      const value = { state: "retrying" as const, runAttempt, error: command.error, nextAttemptAt: command.delayMs };
      return [{ kind: "run", key: "run:#0", value }];
    }
    case "run.failed": {
      const task = command.task === undefined ? {} : { task: command.task };
      return [{ kind: "run", key: "run:#0", value: { state: "failed", error: command.error, ...task } }];
    }
  }
}

/** The event of a wait that is given up goes to the head of its queue. */
function closed(kind: "event" | "sleep" | "wait", key: string, of: Orchestrator): RecordBody[] {
  const last = of.state(key);
  if (last?.kind === "event" && last.value.state === "received") {
    of.mailbox.get(parseEntryKey(key)?.address ?? "")?.unshift(last.value.data ?? null);
  } else if (last?.value.state !== "waiting" && last?.value.state !== "sleeping") return [];
  return [{ kind, key, value: { state: "closed" } }];
}
