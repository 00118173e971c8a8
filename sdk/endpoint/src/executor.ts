/** For what is handed pushes instead of being pushed to: `@aikirun/endpoint/executor`. */
import {
  AikiError,
  CHECKPOINT_HISTORY,
  CHECKPOINT_PATH,
  type ErrorAnswer,
  type ExecuteAnswer,
  type ExecuteRequest,
} from "@aikirun/protocol";
import { httpSend } from "@aikirun/protocol/http";
import { type AnyVersion, consoleLogger, type Logger } from "@aikirun/workflow";
import { type CheckpointLine, checkpointLine } from "./checkpoint-line.js";
import { contextMaker } from "./context.js";
import { environment, isProduction } from "./environment.js";
import { type ExecuteDeps, execute } from "./execute.js";
import { DEFAULT_KEEP, keptHistory } from "./kept-history.js";
import { troubleLog } from "./logger.js";
import { errorOf, Refusal } from "./refusal.js";
import { registry } from "./registry.js";
import { Span } from "./span.js";
import { Unreachable } from "./unreachable.js";

export interface Executor {
  readonly versions: readonly {
    readonly workflow: string;
    readonly version: string;
    readonly timeoutMs?: number | undefined;
  }[];
  /** Carries one push out. Never rejects: what stands in its way is what an endpoint would have refused it with. */
  execute(push: ExecuteRequest, invocation: ExecutorInvocation): Promise<Executed>;
}

export interface ExecutorInvocation {
  /** Where its checkpoints go and long histories are read, whatever the push says. */
  readonly orchestratorUrl: string;
  /** Aborts when nobody wants the answer any more. */
  readonly gone: AbortSignal;
  /** True from the moment that the invocation is to end with what runs already. */
  readonly windsUp: () => boolean;
}

export type Executed = { readonly answer: ExecuteAnswer } | { readonly error: ErrorAnswer["error"] };

/** Throws `DUPLICATE_WORKFLOW`, `LIMIT_EXCEEDED` or `INVALID_ARGUMENT` for what cannot be served. */
export function createExecutor(
  workflows: readonly AnyVersion[],
  { logger = consoleLogger, context }: { readonly logger?: Logger | undefined; readonly context?: unknown },
): Executor {
  const served = registry(workflows);
  const log = troubleLog(logger);
  const send = httpSend();
  const line = checkpointLine(send);
  const kept = keptHistory(DEFAULT_KEEP);
  const unreachable = new Unreachable();
  const deps = { registry: served, kept, logger, log, send, unreachable, context: contextMaker(context, log) };
  return {
    versions: served.workflows.map(({ name, version, timeoutMs }) => ({
      workflow: name,
      version,
      ...(timeoutMs !== undefined && { timeoutMs }),
    })),
    async execute(push, { orchestratorUrl, gone, windsUp }) {
      const own: ExecuteDeps = { ...deps, line: windingUp(line, windsUp) };
      const invocation = {
        span: new Span(Date.now() + push.budgetMs, gone),
        development: !isProduction(environment({})),
        bindings: undefined,
      };
      try {
        const bytes = JSON.stringify(push.history.records).length;
        return { answer: await execute(addressed(push, orchestratorUrl), bytes, invocation, own) };
      } catch (error) {
        if (!(error instanceof Refusal)) {
          log.error("INTERNAL", "The worker failed. This is a fault of Aiki's SDK, not of the workflow.", error);
        }
        return { error: toldOf(error) };
      }
    },
  };
}

/** The orchestrator may have no public URL; the worker knows how it reached it. */
function addressed(push: ExecuteRequest, orchestratorUrl: string): ExecuteRequest {
  const { checkpoint, history } = push;
  const url = orchestratorUrl + CHECKPOINT_PATH;
  return {
    ...push,
    ...(checkpoint && { checkpoint: { ...checkpoint, url } }),
    ...(history.url !== undefined && { history: { ...history, url: url + CHECKPOINT_HISTORY } }),
  };
}

/** An invocation that winds up hears that checkpoints fail, and so answers once its tasks have ended. */
function windingUp(line: CheckpointLine, windsUp: () => boolean): CheckpointLine {
  return {
    send: (access, body) =>
      windsUp() ? Promise.resolve({ status: 503, error: "The worker stops." }) : line.send(access, body),
  };
}

function toldOf(error: unknown): ErrorAnswer["error"] {
  if (error instanceof Refusal) return errorOf(error);
  const code = error instanceof AikiError ? error.code : "INTERNAL";
  return { code, message: "The worker failed. Its log says why." };
}
