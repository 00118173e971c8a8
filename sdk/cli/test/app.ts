/** A real app with an endpoint, in a process of its own, below the repository so that it finds the built packages. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

const SERVER = `
import { serve } from "@hono/node-server";
import { endpoint } from "@aikirun/endpoint";
import { event, task, workflow } from "@aikirun/workflow";

const greet = task({ name: "greet", handler: async (name) => "Hello, " + name + "!" });
const hello = workflow({ name: "hello" }).v("1.0.0", {
  async handler(run, input) {
    const greeting = await greet.start(run, input.name);
    await run.sleep("a-moment", input.sleepMs ?? 1);
    return { greeting };
  },
});
const gate = workflow({ name: "gate" }).v("1.0.0", {
  handler: async (run) => (await run.events.opened.wait()).data,
  events: { opened: event() },
});
const broken = workflow({ name: "broken" }).v("1.0.0", {
  async handler() {
    throw new Error("on purpose");
  },
});
serve({ fetch: endpoint({ workflows: [hello, gate, broken] }), port: Number(process.env.PORT) }, () => console.log("up"));
`;

export interface Project {
  readonly folder: string;
  /** Where the app listens and `aiki dev` will look. */
  readonly appPort: number;
  readonly aikiPort: number;
  readonly aikiUrl: string;
  startApp(): Promise<ChildProcess>;
  remove(): void;
}

export async function makeProject(): Promise<Project> {
  mkdirSync(join(REPOSITORY, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(REPOSITORY, ".tmp", "dev-"));
  const [appPort, aikiPort] = await freePorts();
  const aikiUrl = `http://localhost:${aikiPort}`;
  writeFileSync(join(folder, "server.mjs"), SERVER);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ scripts: { dev: `PORT=${appPort} node server.mjs` } }));
  return {
    folder,
    appPort,
    aikiPort,
    aikiUrl,
    async startApp() {
      const env = { ...process.env, PORT: String(appPort), AIKI_URL: aikiUrl };
      const child = spawn(process.execPath, ["server.mjs"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
      await new Promise((resolve, reject) => {
        child.stdout.once("data", resolve);
        child.once("exit", () => reject(new Error("the app ended")));
      });
      return child;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as [number, number];
}
