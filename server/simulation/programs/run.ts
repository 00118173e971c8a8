/**
 * `npm run simulate:programs -- [--seed 1] [--count 10000] [--path 4:5:2] [--trace]`: random programs, each in a world of
 * its own. Exits 1 on the first that ends otherwise than plain execution does, after shrinking it. With the seed and path
 * that a failure printed, that program alone runs; with `--trace`, everything that happened in it is printed.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { cases } from "./plans.js";
import { isConfluent } from "./program.js";
import { runCase } from "./run-case.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "10000" },
    path: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});
const seed = whole("seed", values.seed);
const { path } = values;
const numRuns = path === undefined ? whole("count", values.count) : 1;

const startedAt = performance.now();
const sums = { programs: 0, confluent: 0, runs: 0, executions: 0, events: 0 };
const property = fc.asyncProperty(cases, async (one) => {
  const report = await runCase(one, undefined, values.trace);
  sums.programs += 1;
  sums.confluent += isConfluent(one.plan) ? 1 : 0;
  sums.runs += report.runs;
  sums.executions += report.executions;
  sums.events += report.events;
  if (values.trace && (report.violation || path !== undefined)) console.log(report.trace?.join("\n"));
  if (report.violation) throw report.violation;
});
const details = await fc.check(property, { seed, numRuns, ...(path !== undefined && { path, endOnFailure: true }) });
if (details.failed) {
  console.error(await fc.asyncDefaultReportMessage(details));
  if (details.errorInstance instanceof Error) console.error(details.errorInstance.stack);
  console.error(`Again: npm run simulate:programs -- --seed ${seed} --path ${details.counterexamplePath} --trace`);
  process.exit(1);
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `${sums.programs} programs from seed ${seed} end as plain execution does, ${sums.confluent} of them also as it does without ` +
    `any history. ${sums.runs} runs, ${sums.executions} executions, ${sums.events} events in ${seconds.toFixed(1)} s`,
);

function whole(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${name} must be a whole number, not ${text}`);
  process.exit(2);
}
