/**
 * Proxies give up on an answer of which they have not seen a byte for a minute or so. One that takes longer is preceded
 * by white space, which JSON allows. Its status is spent with the first of it, so that a refusal travels in a 200.
 */
import type { ErrorAnswer } from "@aikirun/protocol";
import { answerHeaders, type EndpointAnswer } from "./answer.js";

const EVERY_MS = 10_000;

/** The answer, when it comes soon; else one that has begun. `answering` never rejects. */
export async function keptAwake(
  answering: Promise<EndpointAnswer>,
  headers: Readonly<Record<string, string>>,
): Promise<EndpointAnswer> {
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

function unlessLate(answering: Promise<EndpointAnswer>): Promise<EndpointAnswer | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), EVERY_MS);
    void answering.then((answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}
