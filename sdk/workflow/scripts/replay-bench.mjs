/** What a push costs when its history grows. Run `npm run build` first, then `node sdk/workflow/scripts/replay-bench.mjs`. */
import { inputHash } from "@aikirun/protocol/canonical";
import { task, workflow } from "@aikirun/workflow";
import { defaultHost, execute } from "@aikirun/workflow/replay";

const increment = task({ name: "increment", handler: async (input) => ({ n: input.n + 1 }) });
const counter = workflow({ name: "counter" }).v("1", {
  async handler(run, input) {
    let value = { n: 0 };
    for (let i = 0; i < input.tasks; i++) value = await increment.start(run, value);
    return value;
  },
});

/** Milliseconds of one push that replays `recorded` tasks and runs one more. */
async function push(recorded, repeat) {
  const records = Array.from({ length: recorded }, (_, i) => ({
    n: i + 1,
    kind: "task",
    key: `task:increment:${inputHash({ n: i })}#0`,
    value: { state: "completed", attempts: 1, output: { n: i + 1 } },
  }));
  const run = {
    id: "run_01kaqsxkz00000000000000000",
    workflow: "counter",
    version: "1",
    input: { tasks: recorded + 2 },
    runAttempt: 1,
    createdAt: 0,
    options: {},
  };
  const startedAt = performance.now();
  for (let i = 0; i < repeat; i++) {
    const { commands } = await execute({ workflow: counter, run, records, host: defaultHost, graceMs: 10 });
    if (commands.length !== 1) throw new Error(`expected one command, got ${JSON.stringify(commands)}`);
  }
  return (performance.now() - startedAt) / repeat;
}

const sizes = [0, 10, 100, 1_000, 5_000];
for (const size of sizes) await push(size, 20);
const table = {};
for (const size of sizes) {
  const ms = await push(size, size >= 1_000 ? 50 : 500);
  table[size] = {
    "ms per push": Number(ms.toFixed(4)),
    "µs per entry": size ? Number(((ms * 1_000) / size).toFixed(2)) : "",
  };
}
console.table(table);
