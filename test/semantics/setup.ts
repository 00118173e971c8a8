/** For all test files of a place: one orchestrator, on a database of its own. Stages keep apart by namespaces. */
import { randomBytes } from "node:crypto";
import type { TestProject } from "vitest/node";
import { newDatabase } from "../../server/test/store/new-database.js";
import { onDemand, type Started } from "../../server/test/store/on-demand.js";
import { launchers } from "./hosts.js";
import { everywhere, modes, nameOf, type Place } from "./modes.js";

/** Short, so that a test need not wait long for what a lost process had in hand. */
const LEASE_MS = 3_000;

export interface SharedOrchestrator {
  readonly url: string;
  readonly adminKey: string;
  readonly databaseUrl: string;
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { postgresSocket } = project.getProvidedContext();
  const shared = await Promise.all(
    everywhere.map(async (place) => [nameOf(place), await onDemand(() => start(place, postgresSocket))] as const),
  );
  project.provide("orchestrators", Object.fromEntries(shared.map(([name, { socket }]) => [name, socket])));
  return async () => {
    await Promise.all(shared.map(([, { close }]) => close()));
  };
}

async function start({ mode, host }: Place, postgresSocket: string): Promise<Started<SharedOrchestrator>> {
  const database = await newDatabase(postgresSocket);
  const adminKey = randomBytes(24).toString("hex");
  const { url, stop } = await launchers[host]({
    DATABASE_URL: database.url,
    AIKI_SECRET: randomBytes(32).toString("base64"),
    AIKI_ADMIN_KEY: adminKey,
    AIKI_CHECKPOINTS: modes[mode].checkpoints,
    AIKI_LEASE_MS: String(LEASE_MS),
    AIKI_EGRESS_ALLOW: "127.0.0.0/8",
    AIKI_REGISTRATIONS_PER_MINUTE: "100000",
  });
  return {
    value: { url, adminKey, databaseUrl: database.url },
    async close() {
      await stop();
      await database.close();
    },
  };
}

declare module "vitest" {
  interface ProvidedContext {
    place: Place;
    /** Where the orchestrator of each place is asked for, by the place's name. */
    orchestrators: Readonly<Record<string, string>>;
  }
}
