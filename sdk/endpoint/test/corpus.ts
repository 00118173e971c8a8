/**
 * Pushes that must be refused, and a few odd ones that must not: the checklist of RFC 8725 and what the push protocol
 * adds to it. Each vector is made for one endpoint URL, with the keys that this endpoint trusts.
 */
import { createHmac, sign as nodeSign } from "node:crypto";
import {
  bodyHash,
  claimsOf,
  describePush,
  executePush,
  forgeToken,
  nowS,
  type Push,
  pushHeaders,
  type Sent,
  type SigningKey,
  signToken,
} from "./orchestrator.js";

export interface Kit {
  readonly url: string;
  /** Trusted. */
  readonly ed: SigningKey;
  /** Trusted. */
  readonly es: SigningKey;
  readonly stranger: SigningKey;
}

export interface Vector {
  readonly name: string;
  /** The status and code of the refusal; undefined when the push is to be accepted. */
  readonly refused: readonly [status: number, code: string] | undefined;
  make(kit: Kit): Promise<Sent> | Sent;
}

const UNIFORM = [401, "UNAUTHENTICATED_PUSH"] as const;
const INVALID = [401, "SIGNATURE_INVALID"] as const;
const SKEW = [401, "CLOCK_SKEW"] as const;
const AUDIENCE = [401, "AUDIENCE_MISMATCH"] as const;

const b64 = (value: string | Uint8Array | object): string =>
  Buffer.from(typeof value === "string" || value instanceof Uint8Array ? value : JSON.stringify(value)).toString(
    "base64url",
  );

interface Draft {
  readonly push: Push;
  readonly body: string;
  readonly claims: Record<string, unknown>;
  readonly header: Record<string, unknown>;
}

function draft({ url, ed }: Kit, push: Push = executePush()): Draft {
  const body = JSON.stringify(push);
  return {
    push,
    body,
    claims: claimsOf(push, body, url),
    header: { alg: "Ed25519", kid: ed.kid, typ: "aiki-push+jwt" },
  };
}

/** The good push with another token. */
function token(
  name: string,
  refused: Vector["refused"],
  make: (draft: Draft, kit: Kit) => Promise<string> | string,
): Vector {
  return {
    name,
    refused,
    async make(kit) {
      const good = draft(kit);
      return { headers: pushHeaders(await make(good, kit)), body: good.body };
    },
  };
}

/** The good push under a truly signed token with other claims; `undefined` leaves one out. */
function claims(
  name: string,
  refused: Vector["refused"],
  change: Record<string, unknown> | ((url: string) => Record<string, unknown>),
): Vector {
  return token(name, refused, (good, { ed, url }) =>
    signToken(ed, { ...good.claims, ...(typeof change === "function" ? change(url) : change) }),
  );
}

/** The good push under a token with another header, signed for what it says. */
function header(name: string, refused: Vector["refused"], change: Record<string, unknown>): Vector {
  return token(name, refused, (good, { ed }) =>
    forgeToken(ed, JSON.stringify({ ...good.header, ...change }), JSON.stringify(good.claims)),
  );
}

const parts = (text: string): [string, string, string] => text.split(".") as [string, string, string];
const hmac = (secret: string | Uint8Array, good: Draft): string => {
  const signed = `${b64({ ...good.header, alg: "HS256" })}.${b64(good.claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
};
const withSignature = (good: Draft, signature: Uint8Array, head: object = good.header): string =>
  `${b64(head)}.${b64(good.claims)}.${b64(signature)}`;

const ALGORITHMS: Vector[] = [
  header("alg EdDSA, the name that RFC 9864 retires", UNIFORM, { alg: "EdDSA" }),
  header("alg that is not on the list", UNIFORM, { alg: "RS256" }),
  header("no alg", UNIFORM, { alg: undefined }),
  header("alg that is no text", UNIFORM, { alg: ["Ed25519"] }),
  header("ES256 claimed under an Ed25519 key", UNIFORM, { alg: "ES256" }),
  ...["none", "None", "NONE", "nOnE"].map((alg) =>
    token(`alg ${alg} without a signature`, UNIFORM, (good) => `${b64({ ...good.header, alg })}.${b64(good.claims)}.`),
  ),
  token("alg none with the signature of another alg", UNIFORM, async (good, { ed }) => {
    const [, payload, signature] = parts(await signToken(ed, good.claims));
    return `${b64({ ...good.header, alg: "none" })}.${payload}.${signature}`;
  }),
  token("HS256 with the public key's text as secret", UNIFORM, (good, { ed }) => hmac(ed.text, good)),
  token("HS256 with the public key's bytes as secret", UNIFORM, (good, { ed }) =>
    hmac(Buffer.from(ed.publicJwk.x ?? "", "base64url"), good),
  ),
  token("HS256 with the public JWK as secret", UNIFORM, (good, { ed }) => hmac(JSON.stringify(ed.publicJwk), good)),
  token("an ES256 signature under the Ed25519 key's id", UNIFORM, (good, { es }) =>
    forgeToken(es, JSON.stringify(good.header), JSON.stringify(good.claims)),
  ),
  token("an ES256 signature in DER", UNIFORM, (good, { es }) => {
    const head = { ...good.header, alg: "ES256", kid: es.kid };
    const signed = `${b64(head)}.${b64(good.claims)}`;
    return withSignature(good, nodeSign("sha256", Buffer.from(signed), { key: es.private, dsaEncoding: "der" }), head);
  }),
  token("an ES256 signature of zeros (CVE-2022-21449)", UNIFORM, (good, { es }) =>
    withSignature(good, new Uint8Array(64), { ...good.header, alg: "ES256", kid: es.kid }),
  ),
  token("an Ed25519 signature of zeros", UNIFORM, (good) => withSignature(good, new Uint8Array(64))),
  token("an Ed25519 signature with a small-order R and S = 0", UNIFORM, (good) => {
    const signature = new Uint8Array(64);
    signature[0] = 1;
    return withSignature(good, signature);
  }),
  token("an Ed25519 signature whose S is not reduced", UNIFORM, async (good, { ed }) => {
    const text = await signToken(ed, good.claims);
    const signature = Buffer.from(parts(text)[2], "base64url");
    return `${text.slice(0, text.lastIndexOf("."))}.${b64(addOrder(signature))}`;
  }),
  token("a true ES256 token", undefined, (good, { es }) => signToken(es, good.claims)),
];

/** The same signature with S + L, which verifies where a verifier forgets RFC 8032 section 5.1.7. */
function addOrder(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = 0n;
  for (let i = 63; i >= 32; i--) s = (s << 8n) | BigInt(signature[i] ?? 0);
  s += order;
  const forged = Uint8Array.from(signature);
  for (let i = 32; i < 64; i++, s >>= 8n) forged[i] = Number(s & 255n);
  return forged;
}

const SPELLING: Vector[] = [
  token("a signature one byte short", UNIFORM, async (good, { ed }) => {
    const [head, payload, signature] = parts(await signToken(ed, good.claims));
    return `${head}.${payload}.${b64(Buffer.from(signature, "base64url").subarray(0, 63))}`;
  }),
  token("a signature one byte long", UNIFORM, async (good, { ed }) => {
    const [head, payload, signature] = parts(await signToken(ed, good.claims));
    return `${head}.${payload}.${b64(Buffer.concat([Buffer.from(signature, "base64url"), Buffer.of(0)]))}`;
  }),
  token("one bit of the signature flipped", UNIFORM, async (good, { ed }) => {
    const [head, payload, signature] = parts(await signToken(ed, good.claims));
    const bytes = Buffer.from(signature, "base64url");
    bytes.writeUInt8(bytes.readUInt8(10) ^ 1, 10);
    return `${head}.${payload}.${b64(bytes)}`;
  }),
  token("claims changed after signing", UNIFORM, async (good, { ed }) => {
    const [head, , signature] = parts(await signToken(ed, good.claims));
    return `${head}.${b64({ ...good.claims, ns: "other" })}.${signature}`;
  }),
  token("base64 with padding", UNIFORM, async (good, { ed }) => `${await signToken(ed, good.claims)}==`),
  token("white space inside the token", UNIFORM, async (good, { ed }) =>
    (await signToken(ed, good.claims)).replace(".", ". "),
  ),
  token("the alphabet of plain base64", UNIFORM, async (good, { ed }) => {
    // A run of `?` and `~` is written with / and + in plain base64.
    const text = forgeToken(ed, JSON.stringify({ ...good.header, x: "???~~~???~~~" }), JSON.stringify(good.claims));
    return text.replaceAll("-", "+").replaceAll("_", "/");
  }),
  token("a last character with bits to spare", UNIFORM, async (good, { ed }) => {
    const text = await signToken(ed, good.claims);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return text.slice(0, -1) + alphabet.charAt(alphabet.indexOf(text.slice(-1)) + 1);
  }),
  token("two parts", UNIFORM, async (good, { ed }) =>
    (await signToken(ed, good.claims)).split(".").slice(0, 2).join("."),
  ),
  token("four parts", UNIFORM, async (good, { ed }) => `${await signToken(ed, good.claims)}.AA`),
  token("five parts, as a JWE has", UNIFORM, async (good, { ed }) => `${await signToken(ed, good.claims)}.AA.AA`),
  token("a token inside a token", UNIFORM, async (good, { ed }) =>
    forgeToken(ed, JSON.stringify({ ...good.header, cty: "JWT", typ: "JWT" }), await signToken(ed, good.claims)),
  ),
  token("an empty token", UNIFORM, () => ""),
  token("a header that is not JSON", UNIFORM, (good, { ed }) => forgeToken(ed, "{", JSON.stringify(good.claims))),
  token("a header that is an array", UNIFORM, (good, { ed }) => forgeToken(ed, "[]", JSON.stringify(good.claims))),
  token("a header that is not UTF-8", UNIFORM, (good, { ed }) =>
    forgeToken(ed, Uint8Array.of(0x7b, 0xff, 0x7d), JSON.stringify(good.claims)),
  ),
  token("a payload that is not JSON", INVALID, (good, { ed }) => forgeToken(ed, JSON.stringify(good.header), "{")),
  token("a payload that is an array", INVALID, (good, { ed }) => forgeToken(ed, JSON.stringify(good.header), "[]")),
  token("a payload of null", INVALID, (good, { ed }) => forgeToken(ed, JSON.stringify(good.header), "null")),
  token("a member twice: the last one counts (RFC 7519 section 4)", [401, "NAMESPACE_MISMATCH"], (good, { ed }) =>
    forgeToken(ed, JSON.stringify(good.header), JSON.stringify(good.claims).replace(/}$/, ',"ns":"other"}')),
  ),
];

const HEADERS: Vector[] = [
  header("an extension that nobody knows", UNIFORM, { crit: ["exp2"], exp2: 1 }),
  header("an empty list of extensions", UNIFORM, { crit: [] }),
  header("an unencoded payload", UNIFORM, { b64: false, crit: ["b64"] }),
  header("b64 true", UNIFORM, { b64: true }),
  header("no kid", UNIFORM, { kid: undefined }),
  header("a kid that is no text", UNIFORM, { kid: 7 }),
  header("an unknown kid", UNIFORM, { kid: "ab12" }),
  header("a kid of 3 KB", UNIFORM, { kid: "k".repeat(3_000) }),
  header("a kid that is a path", UNIFORM, { kid: "../../../../dev/null" }),
  header("a kid that is SQL", UNIFORM, { kid: "' or 1=1 --" }),
  header("a kid that every object has", UNIFORM, { kid: "__proto__" }),
  header("no typ", UNIFORM, { typ: undefined }),
  header("typ JWT", UNIFORM, { typ: "JWT" }),
  header("typ of an access token", UNIFORM, { typ: "at+jwt" }),
  header("typ of a checkpoint token", UNIFORM, { typ: "aiki-checkpoint+jwt" }),
  token("a key of the sender's in jwk", UNIFORM, (good, { stranger }) =>
    forgeToken(
      stranger,
      JSON.stringify({ ...good.header, kid: stranger.kid, jwk: stranger.publicJwk }),
      JSON.stringify(good.claims),
    ),
  ),
  token("a key of the sender's in jwk under a trusted kid", UNIFORM, (good, { stranger }) =>
    forgeToken(stranger, JSON.stringify({ ...good.header, jwk: stranger.publicJwk }), JSON.stringify(good.claims)),
  ),
  token("keys by URL", UNIFORM, (good, { stranger }) =>
    forgeToken(
      stranger,
      JSON.stringify({
        ...good.header,
        kid: stranger.kid,
        jku: "http://127.0.0.1:9/jwks",
        x5u: "http://127.0.0.1:9/c",
        x5c: ["AA"],
      }),
      JSON.stringify(good.claims),
    ),
  ),
  header("keys by URL beside a true signature are ignored", undefined, {
    jku: "http://127.0.0.1:9/jwks",
    x5u: "http://127.0.0.1:9/c",
  }),
  token("a stranger's key", UNIFORM, (good, { stranger }) => signToken(stranger, good.claims)),
  token("a stranger's key under a trusted kid", UNIFORM, (good, { stranger, ed }) =>
    signToken(stranger, good.claims, { kid: ed.kid }),
  ),
];

const REQUIRED = ["iss", "aud", "ns", "sub", "jti", "iat", "nbf", "exp", "htm", "bsh", "epoch", "gen", "seq", "pv"];
const CLAIMS: Vector[] = [
  ...REQUIRED.map((name) => claims(`no ${name}`, INVALID, { [name]: undefined })),
  token("exp as text", INVALID, (good, { ed }) =>
    forgeToken(ed, JSON.stringify(good.header), JSON.stringify({ ...good.claims, exp: "9e9" })),
  ),
  token("exp beyond all numbers", INVALID, (good, { ed }) =>
    forgeToken(ed, JSON.stringify(good.header), JSON.stringify(good.claims).replace(/"exp":\d+/, '"exp":1e400')),
  ),
  token("iat before the epoch", INVALID, (good, { ed }) =>
    forgeToken(ed, JSON.stringify(good.header), JSON.stringify({ ...good.claims, iat: -1 })),
  ),
  claims("iat with a fraction", INVALID, { iat: nowS() + 0.5 }),
  claims("aud as a list", INVALID, (url) => ({ aud: [url] })),
  claims("ns null", INVALID, { ns: null }),
  claims("a token for GET", INVALID, { htm: "GET" }),
  claims("htm in lower case", INVALID, { htm: "post" }),
  claims("another version of the protocol", [400, "PROTOCOL_UNSUPPORTED"], { pv: 2 }),
  claims("another namespace", [401, "NAMESPACE_MISMATCH"], { ns: "other" }),
  claims("a namespace in capitals", [401, "NAMESPACE_MISMATCH"], { ns: "DEFAULT" }),
  claims("an empty namespace", [401, "NAMESPACE_MISMATCH"], { ns: "" }),
  claims("another run", INVALID, { sub: "run_00000000000000000000000000" }),
  claims("another push", INVALID, { jti: "push_00000000000000000000000000" }),
  claims("another epoch", INVALID, { epoch: 2 }),
  claims("another generation", INVALID, { gen: 4 }),
  claims("another sequence", INVALID, { seq: 8 }),
  claims("a claim that nobody knows is ignored", undefined, { extra: { deep: [1] } }),
  {
    name: "a describe for another endpoint",
    refused: INVALID,
    async make(kit) {
      const good = draft(kit, describePush());
      return {
        headers: pushHeaders(await signToken(kit.ed, { ...good.claims, sub: "ep_00000000000000000000000000" })),
        body: good.body,
      };
    },
  },
];

const at = (iat: number, nbf: number, exp: number) => () => ({
  iat: nowS() + iat,
  nbf: nowS() + nbf,
  exp: nowS() + exp,
});
const TIMES: Vector[] = [
  claims("expired within the tolerance", undefined, at(-120, -150, -50)),
  claims("expired beyond the tolerance", SKEW, at(-181, -211, -63)),
  claims("expired long ago", SKEW, at(-86_400, -86_430, -86_280)),
  claims("not valid yet, within the tolerance", undefined, at(50, 50, 170)),
  claims("not valid yet, beyond the tolerance", SKEW, at(0, 70, 120)),
  claims("issued in the future", SKEW, at(70, 0, 190)),
  claims("a lifetime of ten minutes", undefined, at(0, 0, 600)),
  claims("a lifetime of more than ten minutes", INVALID, at(0, 0, 601)),
  claims("an end before the beginning", INVALID, at(30, 0, 20)),
];

const other = (change: (url: URL) => Partial<URL>) => (url: string) => {
  const changed = new URL(url);
  Object.assign(changed, change(changed));
  return { aud: changed.href };
};
const AUDIENCES: Vector[] = [
  claims(
    "another port",
    AUDIENCE,
    other(() => ({ port: "1" })),
  ),
  claims(
    "another host",
    AUDIENCE,
    other(() => ({ hostname: "evil.example" })),
  ),
  claims(
    "a host that begins alike",
    AUDIENCE,
    other(({ hostname }) => ({ hostname: `${hostname}.evil.example` })),
  ),
  claims("another scheme", AUDIENCE, (url) => ({ aud: url.replace("http:", "https:") })),
  claims("a trailing slash", AUDIENCE, (url) => ({ aud: `${url}/` })),
  claims("the path in capitals", AUDIENCE, (url) => ({ aud: url.replace("/api/", "/API/") })),
  claims("the scheme in capitals", AUDIENCE, (url) => ({ aud: url.replace("http:", "HTTP:") })),
  claims("a user in the URL", AUDIENCE, (url) => ({ aud: url.replace("://", "://user@") })),
  claims("a fragment", AUDIENCE, (url) => ({ aud: `${url}#x` })),
  claims("a punycode host that looks alike", AUDIENCE, (url) => ({
    aud: url.replace(/\/\/[^:/]+/, "//xn--80ak6aa92e.com"),
  })),
  claims("only the origin", AUDIENCE, (url) => ({ aud: new URL(url).origin })),
  claims("no URL at all", AUDIENCE, { aud: "aiki" }),
];

function altered(name: string, refused: Vector["refused"], change: (body: string) => string | Uint8Array): Vector {
  return {
    name,
    refused,
    async make(kit) {
      const good = draft(kit);
      return { headers: pushHeaders(await signToken(kit.ed, good.claims)), body: change(good.body) };
    },
  };
}
/** Signs a body that is no push. */
function signedBody(name: string, refused: Vector["refused"], change: (body: string) => string | Uint8Array): Vector {
  return {
    name,
    refused,
    async make(kit) {
      const good = draft(kit);
      const body = change(good.body);
      return { headers: pushHeaders(await signToken(kit.ed, { ...good.claims, bsh: bodyHash(body) })), body };
    },
  };
}
const edit = (change: (push: Record<string, unknown>) => unknown) => (body: string) =>
  JSON.stringify(change(JSON.parse(body) as Record<string, unknown>));
const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));
const INVALID_REQUEST = [400, "INVALID_REQUEST"] as const;
const BODIES: Vector[] = [
  altered("the input changed", INVALID, (body) => body.replace("Ada", "Eve")),
  altered("the body written again with spaces", INVALID, (body) => JSON.stringify(JSON.parse(body), null, 1)),
  altered("a space behind the body", INVALID, (body) => `${body} `),
  altered("an empty body", INVALID, () => ""),
  altered("half a body", INVALID, (body) => body.slice(0, body.length / 2)),
  signedBody("signed, but not JSON", INVALID_REQUEST, () => "{"),
  signedBody("signed, but not UTF-8", INVALID_REQUEST, () => Uint8Array.of(0x22, 0xff, 0x22)),
  signedBody("signed, but no push", INVALID_REQUEST, () => "[]"),
  signedBody(
    "signed, of an unknown type",
    INVALID_REQUEST,
    edit((push) => ({ ...push, type: "dance" })),
  ),
  signedBody(
    "signed, with an unknown member",
    INVALID_REQUEST,
    edit((push) => ({ ...push, extra: 1 })),
  ),
  signedBody(
    "signed, nested too deep",
    [400, "JSON_TOO_DEEP"],
    edit((push) => ({ ...push, run: { ...(push.run as object), input: nested(200) } })),
  ),
  signedBody(
    "signed, with white space and escapes",
    undefined,
    (body) => ` ${body.replace("Ada", "\\u0041d\\u0061")}\n`,
  ),
  signedBody("signed, with characters outside the first plane", undefined, (body) => body.replace("Ada", "𝔸da ☃")),
];

function request(name: string, refused: Vector["refused"], change: (sent: Sent, kit: Kit) => Sent): Vector {
  return {
    name,
    refused,
    async make(kit) {
      const good = draft(kit);
      return change({ headers: pushHeaders(await signToken(kit.ed, good.claims)), body: good.body }, kit);
    },
  };
}
const without = (sent: Sent, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(sent.headers).filter(([header]) => header !== name));
const REQUESTS: Vector[] = [
  request("as it should be", undefined, (sent) => sent),
  request("no token", UNIFORM, (sent) => ({ ...sent, headers: without(sent, "authorization") })),
  request("the token without a scheme", undefined, (sent) => ({
    ...sent,
    headers: { ...sent.headers, authorization: sent.headers.authorization?.slice(7) ?? "" },
  })),
  request("the scheme in lower case", undefined, (sent) => ({
    ...sent,
    headers: { ...sent.headers, authorization: sent.headers.authorization?.replace("Bearer", "bearer") ?? "" },
  })),
  request("another scheme", UNIFORM, (sent) => ({
    ...sent,
    headers: { ...sent.headers, authorization: sent.headers.authorization?.replace("Bearer", "Basic") ?? "" },
  })),
  request("two tokens in one header", UNIFORM, (sent) => ({
    ...sent,
    headers: { ...sent.headers, authorization: `${sent.headers.authorization}, ${sent.headers.authorization}` },
  })),
  request("the token where a proxy owns Authorization", undefined, (sent) => ({
    ...sent,
    headers: {
      ...sent.headers,
      authorization: "Basic cHJveHk6cHJveHk=",
      "aiki-signature": sent.headers.authorization ?? "",
    },
  })),
  request("a token of 12 KB", UNIFORM, (sent) => ({
    ...sent,
    headers: { ...sent.headers, authorization: `${sent.headers.authorization}${"A".repeat(12_000)}` },
  })),
  request("no version of the protocol", [400, "PROTOCOL_UNSUPPORTED"], (sent) => ({
    ...sent,
    headers: without(sent, "aiki-protocol"),
  })),
  request("another version of the protocol", [400, "PROTOCOL_UNSUPPORTED"], (sent) => ({
    ...sent,
    headers: { ...sent.headers, "aiki-protocol": "2" },
  })),
  request("another media type", [415, "UNSUPPORTED_MEDIA_TYPE"], (sent) => ({
    ...sent,
    headers: { ...sent.headers, "content-type": "text/plain" },
  })),
];

export const CORPUS: readonly Vector[] = [
  ...group("alg", ALGORITHMS),
  ...group("spelling", SPELLING),
  ...group("header", HEADERS),
  ...group("claims", CLAIMS),
  ...group("time", TIMES),
  ...group("audience", AUDIENCES),
  ...group("body", BODIES),
  ...group("request", REQUESTS),
];

function group(name: string, vectors: readonly Vector[]): Vector[] {
  return vectors.map((vector) => ({ ...vector, name: `${name}: ${vector.name}` }));
}
