import type { OpenWait, Run } from "@aikirun/protocol";
import { type JsonValue, parseEntryKey } from "@aikirun/protocol/canonical";
import { errorText } from "./error-text.js";
import { paintStatus, pairs } from "./table.js";
import { durationText, instantText, printable } from "./text.js";

/** All that is known of a run, for a person. */
export function runText(run: Run): string {
  return pairs([
    ["run", run.id],
    ["workflow", printable(`${run.workflow}@${run.version}`)],
    ["status", paintStatus(run.status)],
    ["reference", run.reference === undefined ? undefined : printable(run.reference)],
    ["parent", run.parent],
    ["schedule", run.schedule],
    ["created", instantText(run.createdAt)],
    ["starts", run.status === "scheduled" && run.nextAt !== undefined ? instantText(run.nextAt) : undefined],
    [
      "ended",
      run.endedAt === undefined
        ? undefined
        : `${instantText(run.endedAt)} (after ${durationText(run.endedAt - run.createdAt)})`,
    ],
    ["attempt", run.runAttempt > 1 ? String(run.runAttempt) : undefined],
    ["input", jsonText(run.input)],
    ["output", jsonText(run.output)],
    ["error", run.error && errorText(run.error)],
    ["task", run.failedTask === undefined ? undefined : taskName(run.failedTask)],
    ["reason", run.reason === undefined ? undefined : printable(run.reason)],
    ...run.waitsFor.map((wait): [string, string] => ["waits for", waitText(wait)]),
    [
      "trouble",
      run.trouble && printable(`${run.trouble.code} ${run.trouble.message} (${instantText(run.trouble.at)})`),
    ],
    ...divergence(run),
  ]);
}

/** `task:name:hash#index` as a person called it. */
export function taskName(key: string): string {
  const address = parseEntryKey(key)?.address ?? key;
  return printable(address.slice(0, Math.max(address.lastIndexOf(":"), 0)) || address);
}

export function jsonText(value: JsonValue | undefined): string | undefined {
  return value === undefined ? undefined : printable(JSON.stringify(value, null, 2));
}

function waitText(wait: OpenWait): string {
  const until = wait.at === undefined ? "" : `, at the latest ${instantText(wait.at)}`;
  const child = wait.runId === undefined ? "" : ` (${wait.runId})`;
  return printable(`${wait.kind} ${wait.name}${child}${until}`);
}

function divergence(run: Run): [string, string][] {
  const { leftover = [], asked = [] } = run.trouble?.divergence ?? {};
  return [
    ...leftover.map((call): [string, string] => ["recorded", printable(call)]),
    ...asked.map((call): [string, string] => ["asked for", printable(call)]),
  ];
}
