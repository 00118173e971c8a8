/** Something that all files of a run of vitest share, and that starts when the first of them asks for it. */
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface Started<Value> {
  /** What those who ask are told, as JSON. */
  readonly value: Value;
  close(): Promise<void>;
}

export interface OnDemand {
  /** Where to `ask`. */
  readonly socket: string;
  /** Ends what was started, if anybody asked. */
  close(): Promise<void>;
}

/** For a `globalSetup`; `folder` is there for as long as what is started. */
export async function onDemand<Value>(start: (folder: string) => Promise<Started<Value>>): Promise<OnDemand> {
  const folder = await mkdtemp(join(tmpdir(), "aiki-test-"));
  let started: Promise<Started<Value>> | undefined;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    started ??= start(folder);
    started.then(
      ({ value }) => socket.end(JSON.stringify({ value })),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    );
  });
  const socket = join(folder, "ask");
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    async close() {
      server.close();
      await started?.then(
        (running) => running.close(),
        () => {},
      );
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function ask<Value>(socket: string): Promise<Value> {
  const answer = JSON.parse(await text(connect(socket))) as { value: Value; error?: string };
  if (answer.error !== undefined) throw new Error(`What the tests share did not start: ${answer.error}`);
  return answer.value;
}
