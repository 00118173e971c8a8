/**
 * Work that outlives its invocation: where the user allows it and the host lets work go on after an answer, a push that
 * takes long is answered with 202, and what comes of it is brought to the orchestrator later.
 */
import {
  CALLBACK_PATH,
  CALLBACK_WANTED_PATH,
  type CallbackBody,
  type CallbackPromise,
  type CheckpointAccess,
  type ErrorAnswer,
  type ExecuteAnswer,
  type ExecuteRequest,
  type HeldPush,
} from "@aikirun/protocol";
import type { HttpAnswer, HttpSend } from "@aikirun/protocol/http";
import { tellUnreachable } from "./checkpoint.js";
import type { TroubleLog } from "./logger.js";
import { errorOf, type Refusal } from "./refusal.js";
import type { Span } from "./span.js";
import type { Unreachable } from "./unreachable.js";

export type Executed = { readonly answer: ExecuteAnswer } | { readonly refusal: Refusal };

/** Keeps the host from stopping what still runs. */
export type WaitUntil = (work: Promise<unknown>) => void;

export interface Outliving {
  readonly push: ExecuteRequest;
  /** Of the run's version. */
  readonly timeoutMs: number | undefined;
  readonly span: Span;
  /** Never rejects. */
  readonly working: Promise<Executed>;
  readonly deadlineAt: number;
  readonly waitUntil: WaitUntil;
}

export interface BackgroundDeps {
  readonly send: HttpSend;
  readonly log: TroubleLog;
  readonly unreachable: Unreachable;
}

/** Invocations of one process that go on in the background. More keep their connections, which the orchestrator counts. */
const MOST = 1_000;
/** With less time than that, it is not worth it. */
const LEAST_MS = 1_000;
/** How soon it is asked whether the run still waits, and how seldom later on. */
const FIRST_LOOK_MS = 1_000;
const MOST_LOOK_MS = 30_000;
const FIRST_RETRY_MS = 100;
const MOST_RETRY_MS = 10_000;
const TAKES_MS = 15_000;
/** Nobody may have taken the run yet that waits since its deadline. */
const LATE_MS = 60_000;
const ANSWER_BYTES = 64 * 1024;

export class Background {
  readonly #deps: BackgroundDeps;
  #count = 0;

  constructor(deps: BackgroundDeps) {
    this.#deps = deps;
  }

  /**
   * What to answer the push with while the work goes on. Undefined when it cannot. An orchestrator is asked first: what
   * cannot be brought is better waited for.
   */
  async begin(outliving: Outliving): Promise<CallbackPromise | undefined> {
    const { push, span, working, deadlineAt, waitUntil } = outliving;
    const { checkpoint: access } = push;
    const { log, unreachable } = this.#deps;
    if (!access || unreachable.has(access.url) || this.#count >= MOST) return undefined;
    let isDone = false;
    void working.then(() => {
      isDone = true;
    });
    try {
      if (!(await this.#isWanted(access))) span.abandon();
    } catch (error) {
      unreachable.failed(access.url, false);
      tellUnreachable(log, access.url, error);
      return undefined;
    }
    const deadlineMs = deadlineAt - Date.now();
    if (isDone || span.gone.aborted || deadlineMs < LEAST_MS) return undefined;
    this.#count += 1;
    span.outlive(deadlineAt);
    waitUntil(
      this.#bring(access, outliving).finally(() => {
        this.#count -= 1;
      }),
    );
    return { ...heldPush(push), seq: push.fence.seq, callback: true, deadlineMs };
  }

  /** Never rejects. */
  async #bring(access: CheckpointAccess, { push, timeoutMs, span, working, deadlineAt }: Outliving): Promise<void> {
    const stopWatching = this.#watch(access, span);
    const executed = await working;
    stopWatching();
    if (span.gone.aborted) return;
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    const body: CallbackBody =
      "answer" in executed ? { type: "answer", ...executed, ...limit } : failure(push, errorOf(executed.refusal));
    await this.#deliver(access, push, body, deadlineAt + LATE_MS);
  }

  /** A cancel reaches an invocation that records nothing for a while, too. */
  #watch(access: CheckpointAccess, span: Span): () => void {
    let timer: ReturnType<typeof setTimeout>;
    const look = (waitMs: number): void => {
      timer = setTimeout(async () => {
        const wanted = await this.#isWanted(access).catch(() => true);
        if (!wanted) span.abandon();
        else if (!isOver) look(Math.min(2 * waitMs, MOST_LOOK_MS));
      }, waitMs);
    };
    let isOver = false;
    look(FIRST_LOOK_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }

  /** Whether the run waits for what comes of the push. Rejects when nobody says so. */
  async #isWanted(access: CheckpointAccess): Promise<boolean> {
    const { status, text } = await this.#send("GET", CALLBACK_WANTED_PATH, access);
    if (status !== 200) throw new Error(`it answered ${status}`);
    return (JSON.parse(text) as { wanted?: unknown }).wanted === true;
  }

  #send(method: "GET" | "POST", path: string, { url, token }: CheckpointAccess, body?: string): Promise<HttpAnswer> {
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const limits = { timeoutMs: TAKES_MS, maxBytes: ANSWER_BYTES };
    return this.#deps.send({ method, url: url + path, headers, ...limits, ...(body !== undefined && { body }) });
  }

  /** Again and again, until it is taken or not wanted any more. */
  async #deliver(access: CheckpointAccess, push: ExecuteRequest, done: CallbackBody, until: number): Promise<void> {
    let body = done;
    let reason = "";
    for (let waitMs = FIRST_RETRY_MS; Date.now() < until; waitMs = Math.min(2 * waitMs, MOST_RETRY_MS)) {
      try {
        const { status, text } = await this.#send("POST", CALLBACK_PATH, access, JSON.stringify(body));
        if (status === 200 || status === 409) return;
        reason = `${status} ${text.slice(0, 300)}`;
        if (status === 401) break;
        // What no repetition makes better: the answer itself is at fault, which whoever looks at the run is to know.
        if (status === 400 || status === 413) body = failure(push, { code: "BAD_ANSWER", message: reason });
      } catch (error) {
        reason = String(error);
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    const message = `What came of ${push.run.id} in the background was not taken: ${reason}. It goes on after its deadline.`;
    this.#deps.log.warn("ORCHESTRATOR_UNREACHABLE", message);
  }
}

function failure(push: ExecuteRequest, error: ErrorAnswer["error"]): CallbackBody {
  return { type: "error", push: heldPush(push), error };
}

function heldPush({ run, pushId, fence: { epoch, gen } }: ExecuteRequest): HeldPush {
  return { runId: run.id, pushId, epoch, gen };
}
