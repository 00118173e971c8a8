/** The workflows that every framework's test serves. */
import { type Logger, task, workflow } from "@aikirun/workflow";

/** Counted over all copies of this module that a bundler may make. */
const counters = globalThis as { aikiProbeExecutions?: number; aikiProbeRests?: number; aikiProbeAborts?: number };
const executions = (): number => counters.aikiProbeExecutions ?? 0;
const rests = (): number => counters.aikiProbeRests ?? 0;
const aborts = (): number => counters.aikiProbeAborts ?? 0;

export interface Counts {
  /** Calls of the handler of `hello`. */
  readonly executions: number;
  /** Tasks that have begun to rest, and those of them whose signal has aborted. */
  readonly rests: number;
  readonly aborts: number;
}
export const counts = (): Counts => ({ executions: executions(), rests: rests(), aborts: aborts() });

const hello = workflow({ name: "hello" }).v("1.0.0", {
  async handler(_run, input: { name: string }) {
    counters.aikiProbeExecutions = executions() + 1;
    return `Hello, ${input.name.normalize("NFKC")}`;
  },
});

const rest = task({
  name: "rest",
  async handler(_input: undefined, { signal }) {
    counters.aikiProbeRests = rests() + 1;
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        counters.aikiProbeAborts = aborts() + 1;
        resolve();
      });
    });
    throw signal.reason;
  },
});

/** Has a task that works until its signal aborts. */
const patient = workflow({ name: "patient" }).v("1.0.0", {
  async handler(run) {
    await rest.start(run);
  },
});

export const probes = [hello, patient];

const nothing = (): void => {};
/** Refusals are what these tests are about; they need not fill the terminal. */
export const silent: Logger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
