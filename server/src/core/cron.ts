/**
 * Cron expressions: instants in, instants out. The arithmetic is croner's, on the time zones that the runtime brings. A
 * time of day that the clocks leave out comes when they have gone forward; one that they repeat comes once, its first
 * time; a wildcard follows the wall clock, so that `*` in the hours means every hour that passes.
 */
import { AikiError } from "@aikirun/protocol/canonical";
import { Cron } from "croner";

export interface CronRecurrence {
  readonly type: "cron";
  readonly expression: string;
  readonly timezone: string;
}

/** The first instant after `after`. */
export function nextCron({ expression, timezone }: CronRecurrence, after: number): number | undefined {
  return parse(expression, timezone).nextRun(new Date(after))?.getTime();
}

/** The last instants up to `until`, itself included: at most `most`, oldest first. */
export function lastCrons({ expression, timezone }: CronRecurrence, until: number, most: number): number[] {
  // croner gives those before an instant.
  const latestFirst = parse(expression, timezone).previousRuns(most, new Date(until + 1));
  return latestFirst.map((date) => date.getTime()).reverse();
}

/** With one space between fields. Throws `CRON_INVALID` or `TIME_ZONE_INVALID`. `after`: it must come after that. */
export function checkedCron(expression: string, timezone: string, after: number): CronRecurrence {
  checkTimezone(timezone);
  const recurrence: CronRecurrence = { type: "cron", expression: expression.trim().replace(/\s+/g, " "), timezone };
  const fields = recurrence.expression.split(" ").length;
  // A seventh field, of years, would make a schedule that is over one day; a date alone is a delayed start.
  const isNickname = fields === 1 && recurrence.expression.startsWith("@");
  if (!isNickname && fields !== 5 && fields !== 6) refuse(recurrence, `it has ${fields} fields`);
  if (nextOrRefuse(recurrence, after) === undefined) refuse(recurrence, "it never comes");
  return recurrence;
}

function nextOrRefuse(recurrence: CronRecurrence, after: number): number | undefined {
  try {
    return nextCron(recurrence, after);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Cron\w+: /, "") : String(error);
    return refuse(recurrence, reason.replace(/\.$/, ""));
  }
}

function refuse({ expression }: CronRecurrence, reason: string): never {
  throw new AikiError(
    "CRON_INVALID",
    `The cron expression ${JSON.stringify(expression)} is refused: ${reason}. Expected minute, hour, day of month, month and day of week, such as "0 9 * * 1" for Mondays at nine; seconds may stand in front.`,
  );
}

function checkTimezone(timezone: string): void {
  try {
    // Offsets such as +02:00 are known to some runtimes only, and know nothing of daylight saving.
    if (/^[A-Za-z]/.test(timezone)) return void new Intl.DateTimeFormat("en-US", { timeZone: timezone });
  } catch {
    // Refused below.
  }
  throw new AikiError(
    "TIME_ZONE_INVALID",
    `The time zone ${JSON.stringify(timezone)} is unknown. Use an IANA name such as "Europe/Berlin" or "UTC".`,
  );
}

function parse(expression: string, timezone: string): Cron {
  return new Cron(expression, { timezone, paused: true });
}
