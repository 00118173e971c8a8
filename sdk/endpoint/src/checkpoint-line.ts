/**
 * The way of all checkpoints from this process to its orchestrator. What is ready while requests are under way travels
 * together in the next one: a busy process sends few requests, an idle one waits for nothing.
 */
import {
  CHECKPOINT_BATCH,
  type CheckpointAccess,
  type CheckpointBatchAnswer,
  checkpointAnswerSchema,
  checkpointBatchAnswerSchema,
  LIMITS,
} from "@aikirun/protocol";
import type { HttpSend } from "@aikirun/protocol/http";
import { onWorkers } from "./environment.js";

/** How the orchestrator answered one checkpoint: the body of a 200, not validated beyond its batch. */
export type LineAnswer =
  | { readonly status: 200; readonly answer: ReturnType<typeof checkpointAnswerSchema.parse> }
  | { readonly status: number; readonly error: string };

export interface CheckpointLine {
  /** `body` is JSON. Rejects when the orchestrator could not be reached or gave no answer of its kind. */
  send(access: CheckpointAccess, body: string): Promise<LineAnswer>;
}

/** Longest that one request may take. */
export const ACK_MS = 10_000;
/** While a request is under way others wait for company, but no longer than this: one that is slow must not hold up all. */
const SLOW_MS = 50;
/** Characters of one request: a larger checkpoint travels alone. */
const BATCH_CHARS = 512 * 1024;

interface Posted {
  readonly token: string;
  readonly body: string;
}

interface Waiting extends Posted {
  resolve(answer: LineAnswer): void;
  reject(reason: unknown): void;
}

/** On Workers a request may not wait for what another one sends, so there each checkpoint travels by itself. */
export function checkpointLine(send: HttpSend): CheckpointLine {
  return onWorkers() ? directLine(send) : sharedLine(send);
}

function directLine(send: HttpSend): CheckpointLine {
  return { send: ({ url, token }, body) => postOne(send, url, { token, body }) };
}

function sharedLine(send: HttpSend): CheckpointLine {
  const lines = new Map<string, { readonly waiting: Waiting[]; busy: boolean }>();

  function flush(url: string): void {
    const line = lines.get(url);
    if (!line || line.busy) return;
    if (line.waiting.length === 0) return void lines.delete(url);
    const batch = line.waiting.splice(0, fitting(line.waiting));
    line.busy = true;
    let isMine = true;
    const next = (): void => {
      if (!isMine) return;
      isMine = false;
      line.busy = false;
      flush(url);
    };
    const timer = setTimeout(next, SLOW_MS);
    void deliver(send, url, batch).finally(() => {
      clearTimeout(timer);
      next();
    });
  }

  return {
    send: ({ url, token }, body) =>
      new Promise((resolve, reject) => {
        const line = lines.get(url) ?? { waiting: [], busy: false };
        lines.set(url, line);
        line.waiting.push({ token, body, resolve, reject });
        flush(url);
      }),
  };
}

/** How many from the head of the queue go into one request. */
function fitting(waiting: readonly Waiting[]): number {
  let chars = 0;
  const over = waiting.findIndex(({ token, body }) => {
    chars += token.length + body.length;
    return chars > BATCH_CHARS;
  });
  return Math.min(Math.max(1, over < 0 ? waiting.length : over), LIMITS.batchCheckpoints);
}

/** Never rejects. */
async function deliver(send: HttpSend, url: string, batch: readonly Waiting[]): Promise<void> {
  try {
    const [only, ...others] = batch;
    const outcomes = only && others.length === 0 ? [await postOne(send, url, only)] : await postMany(send, url, batch);
    if (outcomes.length !== batch.length) throw new Error(`it answered ${outcomes.length} of ${batch.length}`);
    batch.forEach(({ resolve }, i) => {
      resolve(outcomes[i] as LineAnswer);
    });
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

const JSON_BODY = { "content-type": "application/json" };
const POST = { method: "POST", timeoutMs: ACK_MS, maxBytes: LIMITS.bodyBytes } as const;

async function postOne(send: HttpSend, url: string, { token, body }: Posted): Promise<LineAnswer> {
  const answer = await send({ ...POST, url, headers: { ...JSON_BODY, authorization: `Bearer ${token}` }, body });
  if (answer.status !== 200) return { status: answer.status, error: answer.text.slice(0, 300) };
  return { status: 200, answer: checkpointAnswerSchema.parse(JSON.parse(answer.text)) };
}

async function postMany(send: HttpSend, url: string, batch: readonly Waiting[]): Promise<LineAnswer[]> {
  const items = batch.map(({ token, body }) => `{"token":${JSON.stringify(token)},"body":${body}}`);
  const body = `{"checkpoints":[${items.join(",")}]}`;
  const headers = { ...JSON_BODY, authorization: `Bearer ${batch[0]?.token}` };
  const answer = await send({ ...POST, url: url + CHECKPOINT_BATCH, headers, body });
  if (answer.status !== 200) return batch.map(() => ({ status: answer.status, error: answer.text.slice(0, 300) }));
  const { outcomes }: CheckpointBatchAnswer = checkpointBatchAnswerSchema.parse(JSON.parse(answer.text));
  return outcomes.map((outcome) =>
    "answer" in outcome
      ? outcome
      : { status: outcome.status, error: `${outcome.error.code}: ${outcome.error.message}` },
  );
}
