/** One push in the hands of a worker, until what came of it has been brought, given back or dropped. */
import type { Executed, Executor } from "@aikirun/endpoint/executor";
import type {
  ExecuteRequest,
  HeldPush,
  WorkAnswerBody,
  WorkExtendBody,
  WorkerClient,
  WorkPush,
} from "@aikirun/protocol";
import type { Logger } from "@aikirun/workflow";
import { codeOf, pause } from "./trouble.js";

export interface WorkOptions {
  readonly worker: string;
  readonly client: WorkerClient;
  readonly logger: Logger;
  readonly versions: Executor["versions"];
}

const FIRST_RETRY_MS = 100;
const MOST_RETRY_MS = 2_000;
/** What no repetition makes better: the answer itself is at fault. */
const REFUSED: ReadonlySet<string> = new Set([
  "INVALID_REQUEST",
  "BODY_TOO_LARGE",
  "PAYLOAD_TOO_LARGE",
  "JSON_TOO_DEEP",
]);

export class Work {
  readonly push: ExecuteRequest;
  /** As it is extended. */
  readonly held: WorkExtendBody["runs"][number];
  readonly #leaseMs: number;
  readonly #options: WorkOptions;
  readonly #gone = new AbortController();
  #why: "cancelled" | "lost" | "stopped" | undefined;

  constructor({ push, leaseMs, timeoutAt }: WorkPush, options: WorkOptions) {
    this.push = push;
    this.held = { ...heldPush(push), ...(timeoutAt !== undefined && { timeoutAt }) };
    this.#leaseMs = leaseMs;
    this.#options = options;
  }

  get pushId(): string {
    return this.push.pushId;
  }

  /** Aborts when nobody wants the answer any more, or the worker has no time left for it. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  giveUp(why: "cancelled" | "lost" | "stopped"): void {
    this.#why ??= why;
    this.#gone.abort();
  }

  /** Tells what came of it. The next push, when the run goes on at once. */
  async bring(executed: Executed, isLast: () => boolean): Promise<WorkPush | undefined> {
    if (this.#why === "stopped") await this.giveBack();
    if (this.#why) return undefined;
    const { worker, versions } = this.#options;
    const { run } = this.push;
    const timeoutMs = versions.find((one) => one.workflow === run.workflow && one.version === run.version)?.timeoutMs;
    const body = (what: Executed): WorkAnswerBody => ({
      worker,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(isLast() && { last: true as const }),
      ...("answer" in what
        ? { type: "answer" as const, ...what }
        : { type: "error" as const, push: heldPush(this.push), ...what }),
    });
    return this.#send(
      () => body(executed),
      (error) => body({ error }),
    );
  }

  async giveBack(): Promise<void> {
    const { worker, client } = this.#options;
    const body: WorkAnswerBody = { type: "release", worker, push: heldPush(this.push) };
    // Whoever does not hear of it waits for the lease to run out.
    await client.answerWork(body).catch(() => {});
  }

  /** Again and again for as long as nobody else can have taken the run, and somewhat longer. */
  async #send(
    body: () => WorkAnswerBody,
    complaint: (error: { code: string; message: string }) => WorkAnswerBody,
  ): Promise<WorkPush | undefined> {
    const { client, logger } = this.#options;
    const until = performance.now() + 2 * this.#leaseMs;
    let refusal: { code: string; message: string } | undefined;
    for (let waitMs = FIRST_RETRY_MS; !this.#why; waitMs = Math.min(2 * waitMs, MOST_RETRY_MS)) {
      try {
        return (await client.answerWork(refusal ? complaint(refusal) : body())).next;
      } catch (error) {
        const code = codeOf(error);
        const message = error instanceof Error ? error.message : String(error);
        const isOver = performance.now() >= until || (refusal !== undefined && REFUSED.has(code));
        if (isOver || REFUSED.has(code))
          logger.warn({ code, run: this.push.run.id }, `An answer was not taken: ${message}`);
        if (isOver) return undefined;
        if (REFUSED.has(code)) refusal = { code, message };
      }
      await pause(waitMs, this.gone);
    }
    if (this.#why === "stopped") await this.giveBack();
    return undefined;
  }
}

export function heldPush({ run, pushId, fence }: ExecuteRequest): HeldPush {
  return { runId: run.id, pushId, epoch: fence.epoch, gen: fence.gen };
}
