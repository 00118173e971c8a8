/**
 * `npm run simulate -- [--from 1] [--count 5000] [--trace]`: runs seeds and prints what they found. Exits 1 on the first
 * violation, after printing its seed; with `--trace`, everything that happened in it.
 */
import { parseArgs } from "node:util";
import { simulate } from "./world.js";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "1" },
    count: { type: "string", default: "5000" },
    trace: { type: "boolean", default: false },
  },
});
const from = whole("from", values.from);
const count = whole("count", values.count);

const startedAt = performance.now();
let events = 0;
let executions = 0;
let runs = 0;
for (let seed = from; seed < from + count; seed++) {
  const report = await simulate(seed, { trace: values.trace });
  events += report.events;
  executions += report.executions;
  runs += report.runs;
  if (values.trace && (report.violation || count === 1)) console.log(report.trace?.join("\n"));
  if (report.violation) {
    console.error(`seed ${seed}: ${report.violation.stack ?? report.violation.message}`);
    console.error(`Again, with everything that happened: npm run simulate -- --from ${seed} --count 1 --trace`);
    process.exit(1);
  }
  if (count === 1) console.log(`trace ${report.traceHash}`);
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `${count} seeds from ${from}: no violation. ${runs} runs, ${executions} executions, ${events} events in ${seconds.toFixed(1)} s`,
);

function whole(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${name} must be a whole number, not ${text}`);
  process.exit(2);
}
