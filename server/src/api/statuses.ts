/** Several statuses as one parameter of a URL. */
import { AikiError, type RunStatus, runStatusSchema } from "@aikirun/protocol";

/** Throws `INVALID_REQUEST`. */
export function parseStatuses(text: string): RunStatus[] {
  return text.split(",").map((status) => {
    const parsed = runStatusSchema.safeParse(status);
    if (parsed.success) return parsed.data;
    const expected = runStatusSchema.options.join(", ");
    throw new AikiError("INVALID_REQUEST", `status: ${JSON.stringify(status.slice(0, 50))} is none of ${expected}.`);
  });
}
