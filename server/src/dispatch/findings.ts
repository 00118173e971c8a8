/** What the verdicts on many runs say together: runs that meet the same fate become one finding. Pure. */
import { type CheckFinding, type Divergence, LIMITS, type WireError } from "@aikirun/protocol";
import type { SampledRun } from "../store/port.js";
import type { Verdict } from "./replay.js";

export interface Judged {
  readonly run: SampledRun;
  readonly verdict: Verdict;
}

/** Lines of a divergence that a finding shows; `aiki runs get` shows all of a run that has stopped. */
const SHOWN_LINES = 5;
const REASON_CHARS = 1_000;
/** The most pressing first. */
const ORDER: readonly CheckFinding["outcome"][] = [
  "diverges",
  "unasked",
  "fails",
  "unserved",
  "unanswered",
  "too_large",
];

export function findingsOf(judged: readonly Judged[]): CheckFinding[] {
  const groups = new Map<string, Judged[]>();
  for (const one of judged) {
    const alike = likeness(one.verdict);
    if (alike === undefined) continue;
    const key = JSON.stringify([one.run.workflow, one.run.version, alike]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((group) => findingOf(group, judged));
}

export function unservedFinding(
  { workflow, version, live }: { readonly workflow: string; readonly version: string; readonly live: number },
  servedBy: string,
): CheckFinding {
  const what = `${runs(live)} of ${workflow}@${version} would have nobody to serve ${live === 1 ? "it" : "them"}`;
  const message = `${what}: ${servedBy} serves ${workflow}@${version} today, and this code does not list it.`;
  return { outcome: "unserved", workflow, version, runs: live, message };
}

export function sorted(findings: readonly CheckFinding[]): CheckFinding[] {
  return findings.toSorted((a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome) || b.runs - a.runs);
}

/** Nothing was learned of such runs, and no deployment could change that: they decide nothing. */
export function isHarmless({ outcome }: CheckFinding): boolean {
  return outcome === "too_large";
}

/** Undefined: nothing is to be told of such a run. */
function likeness(verdict: Verdict): string | undefined {
  switch (verdict.type) {
    case "stops":
      return `stops ${verdict.answer.alike}`;
    case "too_large":
      return verdict.type;
    case "unanswered":
      return `unanswered ${verdict.refusal.code}`;
    case "fits":
    case "gone":
      return undefined;
  }
}

function findingOf(group: readonly Judged[], judged: readonly Judged[]): CheckFinding {
  const { run, verdict } = group[0] as Judged;
  const { id: example, workflow, version } = run;
  const sampled = judged.filter((one) => one.run.workflow === workflow && one.run.version === version).length;
  const some = `${group.length.toLocaleString("en-US")} of ${runs(sampled)} of ${workflow}@${version}`;
  const told = (outcome: CheckFinding["outcome"], what: string, more: Partial<CheckFinding> = {}): CheckFinding => {
    const message = `${some} ${what} For example ${example}.`;
    return { outcome, workflow, version, runs: group.length, example, ...more, message };
  };
  if (verdict.type === "unanswered") {
    const reason = `${verdict.refusal.code} ${verdict.refusal.message}`.slice(0, REASON_CHARS);
    return told("unanswered", `could not be checked: ${reason}`, { reason });
  }
  if (verdict.type !== "stops") {
    const most = LIMITS.bodyBytes.toLocaleString("en-US");
    return told(
      "too_large",
      `were not checked: input and history exceed the ${most} bytes of one push, and without AIKI_PUBLIC_URL an endpoint cannot read them.`,
    );
  }
  const { thrown } = verdict.answer;
  const divergence = shown(verdict.answer.divergence);
  const recorded = `Recorded but not asked for: ${divergence.leftover.join(", ")}.`;
  if (thrown) {
    const reason = titleOf(thrown).slice(0, REASON_CHARS);
    return told("fails", `would fail before the code asks for all that is recorded: ${reason} ${recorded}`, {
      divergence,
      reason,
    });
  }
  if (divergence.asked.length === 0) {
    return told("unasked", `would diverge at the next new call. ${recorded}`, { divergence });
  }
  const instead = `Asked for instead: ${divergence.asked.join(", ")}.`;
  return told("diverges", `would diverge. ${recorded} ${instead}`, { divergence });
}

function shown({ leftover, asked }: Divergence): Divergence {
  return { leftover: cut(leftover), asked: cut(asked) };
}

function cut(lines: readonly string[]): string[] {
  if (lines.length <= SHOWN_LINES) return [...lines];
  return [...lines.slice(0, SHOWN_LINES), `and ${lines.length - SHOWN_LINES} more`];
}

/** As the command line tells errors: a code says more than the class that carries it. */
function titleOf({ name, code, message }: WireError): string {
  const title = name === "AikiError" && code !== undefined ? `${code} ${message}` : `${name}: ${message}`;
  return /[.!?]$/.test(title) ? title : `${title}.`;
}

function runs(count: number): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? "run" : "runs"}`;
}
