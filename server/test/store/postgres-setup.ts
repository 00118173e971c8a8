/**
 * One Postgres for a whole run of vitest, started when the first test asks for it. `TEST_POSTGRES_URL` names one that
 * runs already, of another version perhaps: a superuser's URL, in whose server databases are made and dropped.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/shell/embedded-postgres.js";

interface Provider {
  provide(key: "postgresSocket", value: string): void;
}

export async function setup(project: Provider): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "aiki-test-"));
  const { TEST_POSTGRES_URL: given } = process.env;
  let started: Promise<Pick<EmbeddedPostgres, "url" | "close">> | undefined;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    started ??= given ? Promise.resolve({ url: given, close: async () => {} }) : startEmbeddedPostgres(folder);
    started.then(
      ({ url }) => socket.end(JSON.stringify({ url })),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    );
  });
  const path = join(folder, "ask");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  project.provide("postgresSocket", path);
  return async () => {
    server.close();
    await started?.then(
      (postgres) => postgres.close(),
      () => {},
    );
    await rm(folder, { recursive: true, force: true });
  };
}

declare module "vitest" {
  interface ProvidedContext {
    postgresSocket: string;
  }
}
