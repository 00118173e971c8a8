/**
 * Random programs: small trees of calls and of what JavaScript makes of promises. One interpreter carries a tree out
 * over whatever makes the calls, durable or plain, so that both take the same way through the same code. Every value is
 * part of what the next task is given, so that one wrong value shows as another input.
 */
export type Leaf =
  /** Fails that many times; the third failure is final. */
  | { readonly do: "task"; readonly fails: number }
  /** Called with the same input everywhere: only the order of the calls tells one from another. */
  | { readonly do: "twin" }
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "event"; readonly name: EventName; readonly timeoutMs: number | undefined }
  /** A wait that a signal gives up, unless the event was seen before the time was over. */
  | { readonly do: "stopped"; readonly name: EventName; readonly ms: number }
  /** A race whose winner is certain: the other one is never sent. */
  | { readonly do: "patience"; readonly ms: number };

export type Plan =
  | Leaf
  | { readonly do: Combinator; readonly parts: readonly Plan[] }
  | { readonly do: "first"; readonly parts: readonly Leaf[] }
  | {
      readonly do: "child";
      readonly body: Plan;
      /** Sleeps before it waits, so that the child may have ended by then. */
      readonly laterMs: number | undefined;
      readonly timeoutMs: number | undefined;
    };

export const COMBINATORS = ["sequence", "all", "race", "any", "allSettled", "caught", "finally"] as const;
export type Combinator = (typeof COMBINATORS)[number];
export const EVENT_NAMES = ["x", "y"] as const;
export type EventName = (typeof EVENT_NAMES)[number];
/** Nobody sends it. */
export const NEVER = "never";

export const MAX_ATTEMPTS = 3;
export const RETRY_MS = 12;

export interface TaskInput {
  readonly site: string;
  readonly seen: string;
  readonly fails: number;
}
export interface ChildInput {
  readonly site: string;
  readonly seen: string;
}
export type Received = { readonly timeout: true } | { readonly timeout: false; readonly data: number };
export type ChildResult =
  | { readonly success: true; readonly output: string }
  | { readonly success: false; readonly cause: string };

/** Who makes the calls of a program. */
export interface Calls {
  task(input: TaskInput): Promise<string>;
  twin(): Promise<string>;
  sleep(site: string, ms: number): Promise<{ readonly cancelled: boolean }>;
  event(
    name: EventName | typeof NEVER,
    options: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal },
  ): Promise<Received>;
  child(input: ChildInput): Promise<{ end(timeoutMs: number | undefined): Promise<ChildResult> }>;
  /** Settles as the first, and gives up what the others wait for. */
  race(runners: readonly Promise<string>[]): Promise<string>;
}

/** Carries a plan out. A number behind `@` is one that chance or time has decided. */
export async function carryOut(plan: Plan, site: string, seen: string, calls: Calls): Promise<string> {
  switch (plan.do) {
    case "task":
    case "twin":
    case "sleep":
    case "event":
      return callOf(plan, site, seen, calls);
    case "stopped": {
      const stop = new AbortController();
      const word = told(plan.name, calls.event(plan.name, { signal: stop.signal })).catch((reason) => String(reason));
      await calls.sleep(site, plan.ms);
      stop.abort("stopped");
      return word;
    }
    case "patience":
      return calls.race([told(NEVER, calls.event(NEVER, {})), slept(site, calls.sleep(site, plan.ms))]);
    case "child": {
      const handle = await calls.child({ site: `${site}.b`, seen });
      if (plan.laterMs !== undefined) await calls.sleep(site, plan.laterMs);
      const end = await handle.end(plan.timeoutMs);
      return end.success ? `child(${end.output})` : `child!${end.cause}`;
    }
    case "first":
      return `first(${await calls.race(plan.parts.map((part, i) => callOf(part, `${site}.${i}`, seen, calls)))})`;
    default:
      return combine(plan.do, plan.parts, site, seen, calls);
  }
}

async function combine(how: Combinator, plans: readonly Plan[], site: string, seen: string, calls: Calls) {
  const parts = () => plans.map((part, i) => carryOut(part, `${site}.${i}`, seen, calls));
  switch (how) {
    case "sequence": {
      let all = "";
      for (const [i, part] of plans.entries()) all += await carryOut(part, `${site}.${i}`, seen + all, calls);
      return all;
    }
    case "all":
      return `all(${(await Promise.all(parts())).join()})`;
    case "race":
      return `race(${await Promise.race(parts())})`;
    case "any":
      return `any(${await Promise.any(parts())})`;
    case "allSettled":
      return `settled(${(await Promise.allSettled(parts())).map((one) => (one.status === "fulfilled" ? one.value : textOf(one.reason))).join()})`;
    case "caught":
      try {
        return (await Promise.all(parts())).join();
      } catch (error) {
        return `caught(${textOf(error)})${await calls.task({ site: `${site}.c`, seen: seen + textOf(error), fails: 0 })}`;
      }
    case "finally":
      try {
        return (await Promise.all(parts())).join();
      } finally {
        await calls.task({ site: `${site}.f`, seen, fails: 1 });
      }
  }
}

/** One call, whose promise is what `run.race` takes: of an async function's promise nobody knows what it waits for. */
function callOf(leaf: Leaf, site: string, seen: string, calls: Calls): Promise<string> {
  switch (leaf.do) {
    case "task":
      return calls.task({ site, seen, fails: leaf.fails });
    case "twin":
      return calls.twin();
    case "event":
      return told(leaf.name, calls.event(leaf.name, { timeoutMs: leaf.timeoutMs }));
    case "stopped":
      return told(leaf.name, calls.event(leaf.name, {}));
    case "sleep":
    case "patience":
      return slept(site, calls.sleep(site, leaf.ms));
  }
}

function told(name: string, received: Promise<Received>): Promise<string> {
  return received.then((outcome) => (outcome.timeout ? `${name}-` : `${name}@${outcome.data}`));
}

function slept(site: string, sleep: Promise<{ readonly cancelled: boolean }>): Promise<string> {
  return sleep.then(({ cancelled }) => `s${site}@${cancelled ? 1 : 0}`);
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

/** The part of a program that a run carries out: the whole, or the body of a child. */
export function planAt(whole: Plan, site: string): Plan {
  let plan = whole;
  for (const step of site.split(".").slice(1)) {
    const next = plan.do === "child" ? plan.body : "parts" in plan ? plan.parts[Number(step)] : undefined;
    if (!next) throw new Error(`no ${site} in ${JSON.stringify(whole)}`);
    plan = next;
  }
  return plan;
}

/** How often a run waits for an event of each name, without its children: so many are sent to it. */
export function eventsOf(plan: Plan): EventName[] {
  if (plan.do === "event" || plan.do === "stopped") return [plan.name];
  return "parts" in plan ? plan.parts.flatMap(eventsOf) : [];
}

/** Whether the result, without the numbers, is the same whatever the order in which things happen. */
export function isConfluent(plan: Plan): boolean {
  switch (plan.do) {
    case "task":
    case "twin":
    case "sleep":
    case "patience":
      return true;
    case "event":
      return plan.timeoutMs === undefined;
    case "stopped":
    case "race":
    case "any":
    case "first":
      return false;
    case "child":
      return plan.timeoutMs === undefined && isConfluent(plan.body);
    case "sequence":
    case "allSettled":
      return plan.parts.every(isConfluent);
    case "all":
    case "caught":
    case "finally":
      return plan.parts.every(isConfluent) && plan.parts.filter(mayFail).length <= 1;
  }
}

function mayFail(plan: Plan): boolean {
  if (plan.do === "task") return plan.fails >= MAX_ATTEMPTS;
  if (plan.do === "caught" || plan.do === "allSettled") return false;
  return "parts" in plan && plan.parts.some(mayFail);
}

export function withoutNumbers(text: string): string {
  return text.replace(/@\d+/g, "");
}
