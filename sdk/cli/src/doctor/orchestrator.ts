import type { Session } from "../session.js";
import { durationText, oneLine } from "../text.js";
import { type Finding, fine, problem, problemOf } from "./finding.js";

const ANSWER_MS = 5_000;
/** Pushes tolerate 60 s either way; half of it is worth a warning. */
const CLOCK_DIFFERENCE_MS = 30_000;

/** Whether the orchestrator answers, whether its database is ready, and whether its clock and ours agree. */
export async function checkOrchestrator({ url }: Pick<Session, "url">): Promise<Finding[]> {
  const sentAt = Date.now();
  let response: Response;
  try {
    response = await get(`${url}/health`);
  } catch (error) {
    const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return [problem("orchestrator", `Cannot reach ${url} (${why}).`, "Start it with `npx aiki dev`, or set AIKI_URL.")];
  }
  if (!response.ok) {
    return [problem("orchestrator", `${url}/health answered ${response.status}.`, "Is AIKI_URL the orchestrator?")];
  }
  return [
    fine("orchestrator", url),
    clockFinding(response.headers.get("date"), sentAt, Date.now()),
    await checkReady(url),
  ];
}

/** The `Date` header (RFC 9110 section 6.6.1) has whole seconds; half a second is added to meet its middle. */
function clockFinding(date: string | null, sentAt: number, receivedAt: number): Finding {
  const theirs = date === null ? Number.NaN : Date.parse(date) + 500;
  if (Number.isNaN(theirs)) return fine("clock", "the orchestrator does not tell its time");
  const differenceMs = theirs - (sentAt + receivedAt) / 2;
  const text = `${durationText(Math.abs(differenceMs))} ${differenceMs < 0 ? "behind" : "ahead of"} this machine`;
  if (Math.abs(differenceMs) <= CLOCK_DIFFERENCE_MS) return fine("clock", "agrees with this machine");
  return problem("clock", `The orchestrator is ${text}.`, "Synchronise both clocks: pushes tolerate 60 s.");
}

async function checkReady(url: string): Promise<Finding> {
  try {
    const response = await get(`${url}/ready`);
    if (response.ok) return fine("database", "the orchestrator's database is ready");
    const text = oneLine(await response.text(), 300);
    return problem(
      "database",
      `${url}/ready answered ${response.status}: ${text}`,
      "Is Postgres up, and is `aiki migrate` done?",
    );
  } catch (error) {
    return problemOf("database", error);
  }
}

function get(url: string): Promise<Response> {
  return fetch(url, { redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) });
}
