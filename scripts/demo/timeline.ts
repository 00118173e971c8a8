/** What happened to several runs, as one list that a person reads from top to bottom. */
import type { HistoryPage } from "@aikirun/protocol";

type Entry = HistoryPage["records"][number];

export interface Moment {
  readonly at: number;
  /** Whose moment it is; undefined for what concerns everything. */
  readonly who: string | undefined;
  readonly what: string;
}

/** One run's records as moments. Equal ones that were recorded together become one. */
export function momentsOf(who: string, records: readonly Entry[]): Moment[] {
  const moments: (Moment & { count: number })[] = [];
  for (const record of records) {
    const what = describe(record);
    if (what === undefined) continue;
    const last = moments.at(-1);
    if (last && last.what === what) last.count += 1;
    else moments.push({ at: record.at, who, what, count: 1 });
  }
  return moments.map(({ count, ...moment }) =>
    count > 1 ? { ...moment, what: `${moment.what} (${count} times)` } : moment,
  );
}

/** One line per moment: seconds since the first, whose it is, what happened. */
export function timeline(moments: readonly Moment[]): string {
  const sorted = [...moments].sort((a, b) => a.at - b.at);
  const start = sorted[0]?.at ?? 0;
  const width = Math.max(...sorted.map(({ who }) => who?.length ?? 0));
  return sorted
    .map(({ at, who, what }) => {
      const seconds = `${((at - start) / 1_000).toFixed(2)} s`.padStart(9);
      return who === undefined
        ? `${seconds}  ${`──── ${what} `.padEnd(width + 40, "─")}`
        : `${seconds}  ${who.padEnd(width)}  ${what}`;
    })
    .join("\n");
}

function describe(record: Entry): string | undefined {
  const name = nameOf(record.key);
  switch (record.kind) {
    case "task": {
      const { value } = record;
      if (value.state === "completed") return `task ${name}${value.attempts > 1 ? `, attempt ${value.attempts}` : ""}`;
      if (value.state === "failed") return `task ${name} failed: ${value.error.message}`;
      return value.due ? undefined : `task ${name} failed: ${value.error.message}; tries again`;
    }
    case "sleep":
      return {
        sleeping: `sleeps: ${name}`,
        completed: `wakes up: ${name}`,
        cancelled: `is woken: ${name}`,
        closed: `gives up its sleep: ${name}`,
      }[record.value.state];
    case "event":
      return {
        waiting: `waits for the event ${name}`,
        received: `receives the event ${name}`,
        timedOut: `waited in vain for the event ${name}`,
        closed: `gives up its wait for the event ${name}`,
      }[record.value.state];
    case "child":
      return record.value.state === "started" ? `starts a child: ${name}` : `its child ${name} ${record.value.status}`;
    case "wait":
      return undefined;
    case "run":
      return record.value.state === "failed" ? `FAILED: ${record.value.error.message}` : `${record.value.state} ✓`;
  }
}

/** The name inside an entry's key: `task:charge:3f9a…#0` is `charge`. */
function nameOf(key: string): string {
  const address = key.slice(key.indexOf(":") + 1, key.lastIndexOf("#"));
  return address.split(":")[0] ?? address;
}
