import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isPublicAddress, LOOPBACK_CIDRS, parseAddress, parseCidr } from "../src/egress/address.js";
import { type EgressPolicy, judgeUrl, PUBLIC_ONLY } from "../src/egress/policy.js";
import type { Resolve } from "../src/shell/guarded-connector.js";
import { nodeExchange } from "../src/shell/node-exchange.js";

const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "93.184.216.34",
  "100.63.255.255",
  "100.128.0.1",
  "172.15.0.1",
  "172.32.0.1",
  "192.167.255.255",
  "192.169.0.1",
  "198.17.255.255",
  "198.20.0.1",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2a00:1450:4001:81b::200e",
  "::ffff:8.8.8.8",
];

const SPECIAL = [
  // IPv4: this network, private, carrier-grade NAT, loopback, link-local and the metadata service in it
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.100.100.200",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.255",
  "169.254.0.1",
  "169.254.169.254",
  "169.254.170.2",
  "172.16.0.1",
  "172.31.255.255",
  // protocol assignments, documentation, AS112, 6to4 relays, AMT, private, benchmarking, multicast, reserved, broadcast
  "192.0.0.1",
  "192.0.0.192",
  "192.0.2.1",
  "192.31.196.1",
  "192.52.193.1",
  "192.88.99.1",
  "192.168.0.1",
  "192.168.255.255",
  "192.175.48.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  // IPv6: unspecified, loopback, v4-compatible, v4-mapped, v4-translated
  "::",
  "::1",
  "::7f00:1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "::ffff:169.254.169.254",
  "::ffff:0:127.0.0.1",
  "0:0:0:0:0:ffff:7f00:1",
  // NAT64 both prefixes, discard, 6to4, Teredo, benchmarking, ORCHID, documentation, segment routing
  "64:ff9b::7f00:1",
  "64:ff9b::8.8.8.8",
  "64:ff9b:1::1",
  "100::1",
  "2001::1",
  "2001:0:4136:e378::1",
  "2001:2::1",
  "2001:10::1",
  "2001:20::1",
  "2001:30::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "2002:808:808::1",
  "3fff::1",
  "5f00::1",
  // ISATAP, unique local (AWS metadata in it), link-local, site-local, multicast, outside global unicast
  "2606:4700::5efe:7f00:1",
  "2606:4700::200:5efe:a00:1",
  "fc00::1",
  "fd00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "ff0e::1",
  "4000::1",
  "e000::1",
  "1::1",
  "2620:4f:8000::1",
];

/** Spellings of loopback that URL parsing takes for an address. */
const SPELLINGS = [
  "http://0x7f000001/",
  "https://2130706433/",
  "https://0177.0.0.1/",
  "https://127.1/",
  "https://127.0.1/",
  "https://①②⑦.0.0.1/",
  "https://127.0.0.1./",
  "https://0x7f.1/",
  "https://017700000001/",
  "https://[::1]/",
  "https://[0:0:0:0:0:0:0:1]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:7f00:1]/",
  "https://[::]/",
  "https://0/",
  "https://0.0.0.0/",
];

const REFUSED_URLS: readonly (readonly [string, string])[] = [
  ["", "INVALID_URL"],
  ["example.com", "INVALID_URL"],
  ["//example.com/x", "INVALID_URL"],
  ["https://", "INVALID_URL"],
  ["ftp://example.com/", "INVALID_URL"],
  ["file:///etc/passwd", "INVALID_URL"],
  ["javascript:alert(1)", "INVALID_URL"],
  ["data:text/plain,x", "INVALID_URL"],
  ["gopher://example.com/", "INVALID_URL"],
  ["https://user@example.com/", "INVALID_URL"],
  ["https://user:secret@example.com/", "INVALID_URL"],
  ["https://:secret@example.com/", "INVALID_URL"],
  ["https://example.com/#part", "INVALID_URL"],
  ["https://exa mple.com/", "INVALID_URL"],
  ["https://[::1/", "INVALID_URL"],
  ["https://256.1.1.1/", "INVALID_URL"],
  ["https://example.com:99999/", "INVALID_URL"],
  ["http://example.com/", "BLOCKED_ADDRESS"],
  ["http://8.8.8.8/", "BLOCKED_ADDRESS"],
  ["https://example.com:8443/", "BLOCKED_ADDRESS"],
  ["https://example.com:80/", "BLOCKED_ADDRESS"],
  ["https://example.com:22/", "BLOCKED_ADDRESS"],
  ["https://8.8.8.8:8443/", "BLOCKED_ADDRESS"],
  ["https://localhost/", "BLOCKED_ADDRESS"],
  ["https://localhost./", "BLOCKED_ADDRESS"],
  ["https://LOCALHOST/", "BLOCKED_ADDRESS"],
  ["https://a.localhost/", "BLOCKED_ADDRESS"],
  ["https://a.localhost./", "BLOCKED_ADDRESS"],
  ["https://printer.local/", "BLOCKED_ADDRESS"],
  ["https://db.internal/", "BLOCKED_ADDRESS"],
  ["https://nas.home.arpa/", "BLOCKED_ADDRESS"],
  ["https://x.onion/", "BLOCKED_ADDRESS"],
  ["https://metadata.google.internal/", "BLOCKED_ADDRESS"],
  ["https://metadata.google.internal./computeMetadata/", "BLOCKED_ADDRESS"],
  ["https://metadata/", "BLOCKED_ADDRESS"],
  ["https://postgres/", "BLOCKED_ADDRESS"],
  ["https://kubernetes.default.svc.cluster.local/", "BLOCKED_ADDRESS"],
];

describe("public addresses", () => {
  it.each(PUBLIC)("%s is public", (text) => {
    expect(isPublicAddress(parseAddress(text)!)).toBe(true);
  });
  it.each(SPECIAL)("%s is not public", (text) => {
    expect(isPublicAddress(parseAddress(text)!)).toBe(false);
  });
});

describe("CIDRs of AIKI_EGRESS_ALLOW", () => {
  it.each(["10.0.0.0/8", "192.168.1.7/32", "fd00::/8", "::1/128"])("%s is one", (text) => {
    expect(parseCidr(text)).toBeDefined();
  });
  it.each(["", "true", "*", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "::/0", "fd00::1/8", "host/8"])(
    "%j is refused",
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );
});

describe("the URL policy", () => {
  it.each(REFUSED_URLS)("refuses %s", (text, code) => {
    expect(judgeUrl(text, PUBLIC_ONLY)).toMatchObject({ ok: false, code });
  });
  it.each(SPELLINGS)("refuses the loopback spelling %s", (text) => {
    expect(judgeUrl(text, PUBLIC_ONLY)).toMatchObject({ ok: false, code: "BLOCKED_ADDRESS" });
  });
  it.each(SPECIAL.filter((text) => !text.includes("%")))("refuses https to %s", (text) => {
    const host = text.includes(":") ? `[${text}]` : text;
    expect(judgeUrl(`https://${host}/`, PUBLIC_ONLY)).toMatchObject({ ok: false, code: "BLOCKED_ADDRESS" });
  });
  it.each([
    "https://example.com/api/aiki",
    "https://example.com:443/",
    "https://8.8.8.8/",
    "https://exämple.com/",
    "https://x.example/?key=1",
  ])("accepts %s", (text) => {
    expect(judgeUrl(text, PUBLIC_ONLY)).toMatchObject({ ok: true });
  });
  it("never shows the query, the user or the password of what it refuses", () => {
    for (const text of [
      "https://u:SECRET@example.com/?k=SECRET",
      "http://example.com/?k=SECRET",
      "SECRET",
      "https://localhost/?k=SECRET",
    ]) {
      expect(JSON.stringify(judgeUrl(text, PUBLIC_ONLY))).not.toContain("SECRET");
    }
  });
  it("lets http, other ports and local names through to the networks that the operator named, and only there", () => {
    const policy: EgressPolicy = { allow: LOOPBACK_CIDRS, ports: [443] };
    for (const text of [
      "http://localhost:3000/",
      "http://127.0.0.1:3000/",
      "http://[::1]:8080/",
      "https://app.local/",
    ]) {
      expect(judgeUrl(text, policy)).toMatchObject({ ok: true });
    }
    for (const text of [
      "http://10.0.0.1/",
      "http://8.8.8.8/",
      "https://169.254.169.254/",
      "https://metadata.google.internal/",
    ]) {
      expect(judgeUrl(text, policy)).toMatchObject({ ok: false, code: "BLOCKED_ADDRESS" });
    }
  });
});

describe("the guard in the connector", () => {
  let sentinel: Server;
  let port = 0;
  let connections = 0;

  beforeAll(async () => {
    sentinel = createServer((socket) => {
      connections++;
      socket.on("error", () => {});
      socket.once("data", () => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
    });
    await new Promise<void>((done) => sentinel.listen({ port: 0, host: "::", ipv6Only: false }, done));
    port = (sentinel.address() as { port: number }).port;
  });
  afterAll(() => sentinel.close());

  const post = async (url: string, policy: EgressPolicy, resolve?: Resolve) => {
    const exchange = nodeExchange({ policy, connections: 4, ...(resolve && { resolve }) });
    try {
      return await exchange.post({
        url,
        headers: {},
        body: "{}",
        totalMs: 5_000,
        maxAnswerBytes: 1_000,
        signal: new AbortController().signal,
      });
    } finally {
      await exchange.close();
    }
  };
  /** Every port counts as usual here, so that only the address decides. */
  const anyPort = (): EgressPolicy => ({ allow: [], ports: [port] });

  it.each([
    "127.0.0.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "[::]",
    "2130706433",
    "0x7f.1",
    "127.0.0.1.",
  ])("does not connect to %s, though the sentinel listens there", async (host) => {
    const before = connections;
    expect(await post(`https://${host}:${port}/`, anyPort())).toMatchObject({ code: "BLOCKED_ADDRESS", sent: false });
    expect(await post(`http://${host}:${port}/`, anyPort())).toMatchObject({ code: "BLOCKED_ADDRESS", sent: false });
    expect(connections).toBe(before);
  });

  it("refuses a name when any one of its addresses is not public", async () => {
    const before = connections;
    const split: Resolve = (_host, done) =>
      done(null, [
        { address: "8.8.8.8", family: 4 },
        { address: "127.0.0.1", family: 4 },
      ]);
    expect(await post(`https://split.example:${port}/`, anyPort(), split)).toMatchObject({ code: "BLOCKED_ADDRESS" });
    const mapped: Resolve = (_host, done) => done(null, [{ address: "::ffff:127.0.0.1", family: 6 }]);
    expect(await post(`https://mapped.example:${port}/`, anyPort(), mapped)).toMatchObject({ code: "BLOCKED_ADDRESS" });
    expect(connections).toBe(before);
  });

  it("dials what it judged: a name server that changes its answers gains nothing", async () => {
    const before = connections;
    let calls = 0;
    const rebinding: Resolve = (_host, done) =>
      done(null, [{ address: calls++ % 2 ? "8.8.8.8" : "127.0.0.1", family: 4 }]);
    const exchange = nodeExchange({ policy: anyPort(), connections: 4, resolve: rebinding });
    const controller = new AbortController();
    const request = { headers: {}, body: "{}", totalMs: 60, maxAnswerBytes: 1_000, signal: controller.signal };
    const codes = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const outcome = await exchange.post({ ...request, url: `https://rebind.example:${port}/` });
      codes.add(outcome.type === "failed" ? outcome.code : "answered");
    }
    await exchange.close();
    expect(calls).toBeGreaterThanOrEqual(10);
    expect(codes).toContain("BLOCKED_ADDRESS");
    expect(codes).not.toContain("answered");
    expect(connections).toBe(before);
  });

  it("reaches the same sentinel once its network is allowed", async () => {
    const allowed: EgressPolicy = { allow: LOOPBACK_CIDRS, ports: [443] };
    for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
      expect(await post(`http://${host}:${port}/`, allowed)).toMatchObject({ type: "answered", status: 204 });
    }
    expect(connections).toBeGreaterThanOrEqual(3);
  });
});
