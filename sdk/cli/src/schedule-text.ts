import type { Recurrence, Schedule } from "@aikirun/protocol";
import { jsonText } from "./run-text.js";
import { paintStatus, pairs } from "./table.js";
import { durationText, instantText, printable } from "./text.js";

/** All that is known of a schedule, for a person. */
export function scheduleText(schedule: Schedule): string {
  const { recurrence } = schedule;
  return pairs([
    ["schedule", schedule.id],
    ["workflow", printable(`${schedule.workflow}@${schedule.version}`)],
    ["status", paintStatus(schedule.status)],
    ["reference", schedule.reference === undefined ? undefined : printable(schedule.reference)],
    ["fires", printable(recurrenceText(recurrence))],
    ["overlap", schedule.overlapPolicy],
    ["catch-up", schedule.catchUp],
    ["input", jsonText(schedule.input)],
    ["created", instantText(schedule.createdAt)],
    ["last", schedule.lastAt === undefined ? undefined : `${instantText(schedule.lastAt)}  ${schedule.lastRun ?? ""}`],
    ["started", `${schedule.started} runs${schedule.skipped > 0 ? `, ${schedule.skipped} skipped` : ""}`],
    ...schedule.upcoming.map((at, i): [string, string] => [i === 0 ? "next" : "", zonedText(at, recurrence)]),
  ]);
}

/** `0 9 * * 1 Europe/Berlin`, `every 10 min`. */
export function recurrenceText(recurrence: Recurrence): string {
  if (recurrence.type === "interval") return `every ${durationText(recurrence.everyMs)}`;
  return `${recurrence.expression} ${recurrence.timezone ?? "UTC"}`;
}

/** An instant in local time, and as the schedule's own time zone has it where that is another one. */
export function zonedText(at: number, recurrence: Recurrence): string {
  const local = instantText(at);
  if (recurrence.type === "interval") return local;
  const timeZone = recurrence.timezone ?? "UTC";
  const there = instantIn(at, timeZone);
  return there === local ? local : `${local} (${there} ${timeZone})`;
}

function instantIn(at: number, timeZone: string): string {
  // Swedish writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(at);
}
