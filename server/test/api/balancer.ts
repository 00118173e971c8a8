/** One address in front of several orchestrators, which take its requests in turn. A test can break it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface Balancer {
  readonly url: string;
  /** Checkpoints that each has answered with 200, by its place. */
  readonly taken: readonly number[];
  /** Puts an orchestrator behind it. */
  add(url: string): void;
  /** `refuse`: nothing is passed on; `forget`: what was answered is thrown away. Once so many checkpoints were taken. */
  breakAfter(checkpoints: number, how: "refuse" | "forget"): void;
}

export async function startBalancer(): Promise<Balancer> {
  const behind: string[] = [];
  const taken: number[] = [];
  let broken = { after: Number.POSITIVE_INFINITY, how: "refuse" };
  let next = 0;
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await buffer(incoming);
    const isBroken = taken.reduce((sum, count) => sum + count, 0) >= broken.after;
    if (isBroken && broken.how === "refuse") return void incoming.socket.destroy();
    const place = next++ % behind.length;
    const answered = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method: incoming.method ?? "GET", headers: incoming.headers, agent: false };
      request(`${behind[place]}${incoming.url}`, options, resolve).once("error", reject).end(body);
    });
    const content = await buffer(answered);
    if (answered.statusCode === 200) taken[place] = (taken[place] ?? 0) + takenIn(incoming.url, content);
    if (isBroken) return void incoming.socket.destroy();
    const { "transfer-encoding": _, connection: __, ...headers } = answered.headers;
    outgoing.writeHead(answered.statusCode ?? 502, headers).end(content);
  };
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    add(url) {
      behind.push(url);
      taken.push(0);
    },
    breakAfter(after, how) {
      broken = { after, how };
    },
  };
}

function takenIn(path: string | undefined, content: Buffer): number {
  if (path === "/v1/checkpoints") return 1;
  if (path !== "/v1/checkpoints/batch") return 0;
  const { outcomes } = JSON.parse(content.toString()) as { outcomes: { status: number }[] };
  return outcomes.filter(({ status }) => status === 200).length;
}
