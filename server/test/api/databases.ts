/** Where a server's runs are kept: tests of the whole way through a real endpoint are run on each. */
import { onTestFinished } from "vitest";
import type { ServerOptions } from "../../src/shell/node.js";
import { memoryStore } from "../../src/store/memory.js";
import { testDatabase } from "../store/database.js";

export const databases: [string, () => Promise<Partial<ServerOptions>>][] = [
  ["in memory", async () => ({ store: memoryStore() })],
  [
    "on Postgres",
    async () => {
      const database = await testDatabase();
      onTestFinished(() => database.close());
      return { settings: { DATABASE_URL: database.url } };
    },
  ],
];
