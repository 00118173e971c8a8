/**
 * Proxies give up on an answer of which they have not seen a byte for a minute or so. One that takes longer is preceded
 * by white space, which JSON allows. Its status is spent with the first of it, so that a refusal travels in a 200.
 */
import type { ErrorAnswer } from "@aikirun/protocol";
import { answerHeaders, type EndpointAnswer } from "./answer.js";

export const EVERY_MS = 10_000;

/** What to answer instead of white space, when there is something once it is due. */
export interface Instead {
  readonly afterMs: number;
  answer(): Promise<EndpointAnswer | undefined>;
}

/** The answer, when it comes soon; else one that has begun. `answering` never rejects. */
export async function keptAwake(
  answering: Promise<EndpointAnswer>,
  headers: Readonly<Record<string, string>>,
  instead?: Instead,
): Promise<EndpointAnswer> {
  if (instead) {
    const given = (await unlessLate(answering, instead.afterMs)) ?? (await instead.answer());
    if (given) return given;
  }
  const soon = await unlessLate(answering);
  return soon ?? { status: 200, headers: answerHeaders(headers), body: drip(answering) };
}

async function* drip(answering: Promise<EndpointAnswer>): AsyncGenerator<string> {
  for (;;) {
    yield " ";
    const answer = await unlessLate(answering);
    if (!answer) continue;
    yield answer.status === 200 ? String(answer.body) : inside(answer);
    return;
  }
}

function inside({ status, body }: EndpointAnswer): string {
  const { error } = JSON.parse(String(body)) as ErrorAnswer;
  const late: ErrorAnswer = { error: { ...error, httpStatus: status } };
  return JSON.stringify(late);
}

function unlessLate(answering: Promise<EndpointAnswer>, ms = EVERY_MS): Promise<EndpointAnswer | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    void answering.then((answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}
