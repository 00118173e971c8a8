/** Reads server-sent events as a browser does. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

export interface Received {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

export interface Source {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** All so far, comments not among them. */
  readonly events: readonly Received[];
  readonly ended: Promise<void>;
  close(): void;
}

export async function follow(port: number, path: string, headers: Record<string, string> = {}): Promise<Source> {
  const outgoing = request({ host: "127.0.0.1", port, path, agent: false, headers }).end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  const events: Received[] = [];
  const lines = createInterface({ input: answer });
  let fields: Record<string, string> = {};
  lines.on("line", (line) => {
    const [, name, value] = /^(\w+): (.*)$/.exec(line) ?? [];
    if (name !== undefined) fields[name] = value ?? "";
    if (line !== "") return;
    const { event, id, data } = fields;
    if (event !== undefined) events.push({ event, id, data: JSON.parse(data ?? "null") });
    fields = {};
  });
  for (const part of [outgoing, answer, lines]) part.on("error", () => {});
  const ended = new Promise<void>((resolve) => lines.once("close", resolve));
  const close = () => {
    outgoing.destroy();
  };
  onTestFinished(close);
  return { status: answer.statusCode ?? 0, headers: answer.headers, events, ended, close };
}
