import type { Recurrence } from "@aikirun/protocol";
import { durationText } from "../../parts/text.js";

export function recurrenceText(recurrence: Recurrence): string {
  if (recurrence.type === "interval") return `every ${durationText(recurrence.everyMs)}`;
  return `${recurrence.expression} ${recurrence.timezone ?? "UTC"}`;
}
