import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ClosingLine } from "./test/closing-line.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

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
    include: ["{sdk,adapters,examples}/*/test/**/*.test.ts", "server/test/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["server/test/store/postgres-setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: process.env["CI"] ? ["default", new ClosingLine()] : ["default"],
  },
});
