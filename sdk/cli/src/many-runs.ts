/** What commands that steer many runs have in common: flags that name the runs, a question first, progress, a count. */
import { createInterface } from "node:readline/promises";
import type { BulkBody, BulkFilter, BulkResult } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol/canonical";
import type { Command } from "commander";
import { instant } from "./arguments.js";
import { hint, type Session } from "./session.js";

/** Runs of one request, so that a person sees how far it is. */
const REQUEST_RUNS = 1_000;
/** Rows that are counted for the question. */
const COUNTED_RUNS = 500;

export interface ManyFlags {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly status?: string;
  readonly workflow?: string;
  readonly workflowVersion?: string;
  readonly parent?: string;
  readonly schedule?: string;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
}

export function manyFlags(command: Command): Command {
  return command
    .option("--status <status,…>", "runs in one of these statuses, instead of one run")
    .option("--workflow <name>", "runs of this workflow")
    .option("--workflow-version <version>", "runs of this version")
    .option("--parent <run-id>", "children of this run")
    .option("--schedule <schedule-id>", "runs that this schedule started")
    .option("--created-after <time>", "a date, or an age such as 2h", instant)
    .option("--created-before <time>", "a date, or an age such as 2h", instant)
    .option("--all", "every run in the namespace")
    .option("--yes", "do not ask first");
}

/** The runs that the flags mean; undefined when the command names one run. Anything in between is wrong usage. */
export function filterOf(command: Command, runId: string | undefined, flags: ManyFlags): BulkFilter | undefined {
  const { status, workflow, workflowVersion, parent, schedule, createdAfter, createdBefore } = flags;
  const filter = {
    // What is no status is refused by the orchestrator, which knows them all.
    ...(status === undefined ? {} : { status: status.split(",") as NonNullable<BulkFilter["status"]> }),
    ...(workflow === undefined ? {} : { workflow }),
    ...(workflowVersion === undefined ? {} : { version: workflowVersion }),
    ...(parent === undefined ? {} : { parent }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(createdAfter === undefined ? {} : { createdAfter }),
    ...(createdBefore === undefined ? {} : { createdBefore }),
  };
  const many = Object.keys(filter).length > 0 || flags.all === true;
  if (runId !== undefined && many) command.error("error: name one run, or say which by flags; not both");
  if (runId === undefined && !many)
    command.error("error: name a run, or say which by --status, --workflow, … or --all");
  return many ? filter : undefined;
}

interface Deed {
  /** `Cancel`, for the question. */
  readonly verb: string;
  /** The statuses that it means when no flag says so. */
  readonly listed: string;
  send(body: BulkBody): Promise<BulkResult>;
}

/** Undefined: the person said no. */
export async function tellMany(
  command: Command,
  { aiki, json }: Session,
  filter: BulkFilter,
  flags: ManyFlags,
  { verb, listed, send }: Deed,
): Promise<Omit<BulkResult, "next"> | undefined> {
  if (flags.yes !== true) {
    if (json || !process.stdin.isTTY)
      command.error("error: this may mean many runs; say --yes to do it without a question");
    const status = filter.status?.join(",") ?? listed;
    const page = await aiki.listRuns({ ...filter, status, limit: COUNTED_RUNS });
    const count = page.next === undefined ? page.runs.length : `${COUNTED_RUNS} or more`;
    if (!(await confirmed(`${verb} ${count} runs? [y/N] `, process.stdin, process.stderr))) return undefined;
  }
  const id = newId("msg");
  const total = { sent: 0, duplicate: 0 };
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const { sent, duplicate, next } = await send({ id, filter, limit: REQUEST_RUNS, ...(cursor && { cursor }) });
    total.sent += sent;
    total.duplicate += duplicate;
    cursor = next;
    if (cursor !== undefined && !json) hint(`${total.sent} runs so far`);
  }
  return total;
}

export async function confirmed(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<boolean> {
  const asked = createInterface({ input, output });
  try {
    return /^y(es)?$/i.test((await asked.question(question)).trim());
  } finally {
    asked.close();
  }
}
