import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ClosingLine } from "./test/closing-line.js";
import { longTests } from "./test/long.js";
import { LongestFirst } from "./test/longest-first.js";
import { filesOf, nameOf, places } from "./test/semantics/modes.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Files side by side: most of a test's time is spent waiting for timers and other processes. */
const SIDE_BY_SIDE = 3;
/** Files that start whole trees of programs: after the others, whose tests are quicker without them. */
const PROGRAMS = [
  "test/{chaos,cloudflare,dashboard,demo,packages,product,server,source-document,workerd,workers}/**/*.test.ts",
];
/** Files that measure time in milliseconds, count what a quiet machine does, or need the ordinary ports for themselves. */
const ALONE = [
  "test/{chaos,workers}/cost.test.ts",
  "test/newcomer/*.test.ts",
  ...(longTests ? ["test/cloudflare/timers.test.ts"] : []),
  "server/test/dispatch/dispatcher.test.ts",
  "sdk/endpoint/test/background.test.ts",
  "sdk/testing/test/trial.test.ts",
];

/** Tests run on the sources of every package; child processes that they start run what `npm run build` made. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@aikirun\/protocol\/canonical$/, replacement: source("sdk/protocol/src/canonical.ts") },
      { find: /^@aikirun\/protocol\/http$/, replacement: source("sdk/protocol/src/http.ts") },
      { find: /^@aikirun\/workflow\/replay$/, replacement: source("sdk/workflow/src/replay/index.ts") },
      { find: /^@aikirun\/endpoint\/executor$/, replacement: source("sdk/endpoint/src/executor.ts") },
      { find: /^@aikirun\/next\/pages$/, replacement: source("adapters/next/src/pages.ts") },
      {
        find: /^@aikirun\/(protocol|workflow|endpoint|client|worker|cli|testing)$/,
        replacement: source("sdk/$1/src/index.ts"),
      },
      { find: /^@aikirun\/(hono|express|next)$/, replacement: source("adapters/$1/src/index.ts") },
      { find: /^@aikirun\/server$/, replacement: source("server/src/index.ts") },
      { find: /^@aikirun\/server\/(.*)$/, replacement: source("server/src/$1.ts") },
    ],
  },
  test: {
    globalSetup: ["server/test/store/postgres-setup.ts", "test/semantics/setup.ts"],
    resolveSnapshotPath: (path, extension) => join(dirname(path), "recorded", basename(path) + extension),
    // They bound how long a failure takes; side by side, each has a part of the machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A test that failed by chance on a loaded machine gets one more try there, and the report says which did.
    retry: process.env["CI"] ? 1 : 0,
    sequence: { sequencer: LongestFirst },
    reporters: process.env["CI"] ? ["default", new ClosingLine()] : ["default"],
    projects: [
      {
        extends: true,
        test: {
          name: "side by side",
          include: ["{sdk,adapters,examples}/*/test/**/*.test.ts", "server/test/**/*.test.ts", "test/**/*.test.ts"],
          exclude: ["**/node_modules/**", "test/semantics/**", ...PROGRAMS, ...ALONE],
          maxWorkers: SIDE_BY_SIDE,
        },
      },
      ...places(longTests).map((place) => ({
        extends: true as const,
        test: {
          ...filesOf(place),
          name: nameOf(place),
          provide: { place },
          maxWorkers: SIDE_BY_SIDE,
        },
      })),
      {
        extends: true,
        test: {
          name: "programs",
          include: PROGRAMS,
          exclude: ALONE,
          maxWorkers: SIDE_BY_SIDE,
          sequence: { groupOrder: 1 },
        },
      },
      // The page is the same on both hosts, so that the second waits for the long run.
      ...(longTests
        ? [
            {
              extends: true as const,
              test: {
                name: "dashboard on workers",
                include: ["test/dashboard/{actions,pages,scale}.test.ts"],
                provide: { dashboardHost: "workers" as const },
                maxWorkers: 1,
                sequence: { groupOrder: 2 },
              },
            },
          ]
        : []),
      {
        extends: true,
        test: { name: "alone", include: ALONE, maxWorkers: 1, sequence: { groupOrder: 3 } },
      },
    ],
  },
});
