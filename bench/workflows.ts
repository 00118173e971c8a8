/** The workloads' workflows: a task returns its input + 1. */
import { event, task, workflow } from "@aikirun/workflow";

const addOne = task({ name: "add-one", handler: (input: number) => input + 1 });

/** `tasks` tasks, one after another. */
export const sequentialV1 = workflow({ name: "bench-sequential" }).v("1.0.0", {
  async handler(run, input: { tasks: number }): Promise<number> {
    let value = 0;
    for (let i = 0; i < input.tasks; i++) value = await addOne.start(run, value);
    return value;
  },
});

/** `tasks` tasks at the same time. */
export const parallelV1 = workflow({ name: "bench-parallel" }).v("1.0.0", {
  async handler(run, input: { tasks: number }): Promise<number> {
    const values = await Promise.all(Array.from({ length: input.tasks }, (_, i) => addOne.start(run, i)));
    return values.length;
  },
});

export const sleeperV1 = workflow({ name: "bench-sleeper" }).v("1.0.0", {
  handler: (run, input: { sleepMs: number }) => run.sleep("nap", input.sleepMs),
});

export const waiterV1 = workflow({ name: "bench-waiter" }).v("1.0.0", {
  async handler(run): Promise<void> {
    await run.events.go.wait();
  },
  events: { go: event() },
});

export const all = [sequentialV1, parallelV1, sleeperV1, waiterV1];
