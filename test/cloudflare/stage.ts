/** Workflows that reach into every corner of a host, served from this process to one orchestrator on Workers. */
import { type Client, client } from "@aikirun/client";
import { event, task, workflow } from "@aikirun/workflow";
import { newDatabase } from "../../server/test/store/new-database.js";
import { serveWorkflows } from "../serve.js";
import { startWorkersHost, type WorkersHost, type WorkersHostOptions } from "../workers-host.js";

const double = task({
  name: "double",
  async handler(n: number) {
    return 2 * n;
  },
});

export const childV1 = workflow({ name: "child" }).v("1.0.0", {
  async handler(run, input: { n: number }) {
    return double.start(run, input.n);
  },
});

/** Tasks, a sleep, an event and a child. */
export const tourV1 = workflow({ name: "tour" }).v("1.0.0", {
  async handler(run, input: { n: number }) {
    const first = await double.start(run, input.n);
    await run.sleep("nap", { milliseconds: 300 });
    const answer = await run.events.answer.wait({ timeout: { minutes: 5 } });
    const child = await childV1.startAsChild(run, { n: first });
    const ended = await child.waitForStatus("completed");
    return { first, answer: answer.timeout ? "none" : answer.data, child: ended.success ? ended.state.output : null };
  },
  events: { answer: event<string>() },
});

/** Children, all at once. */
export const fanV1 = workflow({ name: "fan" }).v("1.0.0", {
  async handler(run, input: { children: number }) {
    const children = await Promise.all(
      Array.from({ length: input.children }, (_, n) => childV1.startAsChild(run, { n })),
    );
    const ended = await Promise.all(children.map((child) => child.waitForStatus("completed")));
    return ended.reduce((sum, one) => sum + (one.success ? one.state.output : 0), 0);
  },
});

export const napV1 = workflow({ name: "nap" }).v("1.0.0", {
  async handler(run, input: { ms: number }) {
    await run.sleep("nap", { milliseconds: input.ms });
    await run.sleep("again", { milliseconds: input.ms });
    return "awake";
  },
});

export interface Stage {
  readonly host: WorkersHost;
  readonly aiki: Client;
  close(): Promise<void>;
}

/** On a database of its own, with an endpoint that is registered. */
export async function stage(
  postgresSocket: string,
  options: Omit<WorkersHostOptions, "databaseUrl">,
  workflows: Parameters<typeof serveWorkflows>[0] = [childV1, tourV1, fanV1, napV1],
): Promise<Stage> {
  const database = await newDatabase(postgresSocket, {});
  const host = await startWorkersHost({ databaseUrl: database.url, ...options });
  const app = await serveWorkflows(workflows, host.url);
  const aiki = client({ url: host.url, maxAttempts: 30 });
  await aiki.registerEndpoint({ url: app.url });
  return {
    host,
    aiki,
    async close() {
      await host.close();
      await app.stop();
      await database.close();
    },
  };
}
