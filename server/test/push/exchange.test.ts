import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { LOOPBACK_CIDRS } from "../../src/egress/address.js";
import { nodeExchange } from "../../src/shell/node-exchange.js";

const POLICY = { allow: LOOPBACK_CIDRS, ports: [443] };

it("gives up a push that waits for a connection at once, and never sends it", async () => {
  const bodies: string[] = [];
  const answers: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.setEncoding("utf8").on("data", (chunk: string) => bodies.push(chunk));
    answers.push(response);
    server.emit("asked");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const exchange = nodeExchange({ policy: POLICY, connections: 1 });
  onTestFinished(async () => {
    await exchange.close();
    server.close();
  });
  const post = (body: string, signal: AbortSignal) => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    return exchange.post({ url, headers: {}, body, totalMs: 20_000, maxAnswerBytes: 1_000, signal });
  };
  const answer = async (text: string) => {
    while (answers.length === 0) await once(server, "asked");
    answers.shift()?.end(text);
  };

  const first = post("first", new AbortController().signal);
  const gone = new AbortController();
  const second = post("second", gone.signal);
  const third = post("third", new AbortController().signal);
  gone.abort();
  // The first one is still under way: nobody has answered it.
  expect(await second).toMatchObject({ type: "failed", code: "ABORTED" });
  await answer("1");
  expect(await first).toMatchObject({ type: "answered", status: 200, body: "1" });
  await answer("3");
  expect(await third).toMatchObject({ type: "answered", body: "3" });
  expect(bodies).toEqual(["first", "third"]);
});
