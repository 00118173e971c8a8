import { describe, expect, it } from "vitest";
import { checkAudience } from "../src/audience.js";
import { checkClaims, type Expected } from "../src/claims.js";
import { Refusal } from "../src/refusal.js";
import type { Token } from "../src/token.js";
import { bodyHash, claimsOf, executePush } from "./orchestrator.js";

const URL_ = "https://app.example.com/api/aiki";
const own = { origin: "https://app.example.com", path: "/api/aiki" };
const push = executePush();
const body = JSON.stringify(push);

function refused(act: () => unknown): Refusal | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
const codeOf = (act: () => unknown): string => refused(act)?.code ?? "accepted";

function check(claims: Record<string, unknown>, expected: Partial<Expected>): void {
  const full = { ...claimsOf(push, body, URL_), iat: 10_000, nbf: 9_970, exp: 10_120, ...claims };
  const token = { payload: new TextEncoder().encode(JSON.stringify(full)) } as Token;
  checkClaims(token, {
    namespace: "default",
    issuer: undefined,
    audience: { urls: [], origins: [], own },
    method: "POST",
    bodyHash: bodyHash(body),
    nowS: 10_000,
    ...expected,
  });
}
const judge = (claims: Record<string, unknown>, expected: Partial<Expected> = {}): string =>
  codeOf(() => check(claims, expected));

describe("claims", () => {
  it.each([
    [10_120 + 60, "accepted"],
    [10_120 + 61, "CLOCK_SKEW"],
    [10_000 - 60, "accepted"],
    [10_000 - 61, "CLOCK_SKEW"],
  ])("are judged at %d with a tolerance of 60 seconds: %s", (nowS, code) => expect(judge({}, { nowS })).toBe(code));

  it.each([
    [{ nbf: 10_060 }, "accepted"],
    [{ nbf: 10_061 }, "CLOCK_SKEW"],
    [{ exp: 10_600 }, "accepted"],
    [{ exp: 10_601 }, "SIGNATURE_INVALID"],
  ])("%j: %s", (claims, code) => expect(judge(claims)).toBe(code));

  it("name both clocks when they differ", () => {
    expect(refused(() => check({ iat: 1, nbf: 1, exp: 121 }, { nowS: 1_000 }))?.message).toMatch(
      /signed at 1970-01-01T00:00:01.000Z .* this app's clock says 1970-01-01T00:16:40.000Z/,
    );
  });

  it("compare the issuer only when it is configured", () => {
    expect(judge({ iss: "http://elsewhere" })).toBe("accepted");
    expect(judge({ iss: "http://elsewhere" }, { issuer: "http://orchestrator.test" })).toBe("ISSUER_MISMATCH");
    expect(judge({}, { issuer: "http://orchestrator.test" })).toBe("accepted");
  });
});

describe("the audience", () => {
  const compare = (aud: string, audience: Partial<Parameters<typeof checkAudience>[1]>): string =>
    codeOf(() => checkAudience(aud, { urls: [], origins: [], own, ...audience }));

  it("is compared with configured URLs, and then with nothing else", () => {
    const urls = ["https://one.example/api/aiki", "https://TWO.example"];
    expect(compare("https://one.example/api/aiki", { urls })).toBe("accepted");
    expect(compare("https://two.example/", { urls })).toBe("accepted");
    expect(compare(URL_, { urls })).toBe("AUDIENCE_MISMATCH");
    expect(compare("https://one.example/api/aiki?x=1", { urls })).toBe("AUDIENCE_MISMATCH");
  });

  it("may be a URL that the platform states, beside the configured ones", () => {
    const origins = ["https://shop-git-main.vercel.app", "https://shop.vercel.app"];
    expect(compare("https://shop.vercel.app/api/aiki", { origins })).toBe("accepted");
    expect(compare("https://shop.vercel.app/api/other", { origins })).toBe("AUDIENCE_MISMATCH");
    expect(compare("https://evil.example/api/aiki", { origins, own: { ...own, origin: "https://evil.example" } })).toBe(
      "AUDIENCE_MISMATCH",
    );
    expect(compare("https://shop.vercel.app/api/aiki", { origins, urls: ["https://shop.example/api/aiki"] })).toBe(
      "accepted",
    );
  });

  it("is derived when nothing is known: same origin, and a path that ends with the route's own", () => {
    expect(compare(URL_, {})).toBe("accepted");
    expect(compare("https://app.example.com/base/api/aiki", {})).toBe("accepted");
    expect(compare("https://app.example.com/api/aiki?bypass=1", {})).toBe("accepted");
    expect(compare("https://app.example.com:443/api/aiki", {})).toBe("AUDIENCE_MISMATCH");
    expect(compare("https://app.example.com/notapi/aiki", {})).toBe("AUDIENCE_MISMATCH");
    expect(compare(URL_, { own: { ...own, origin: "https://app.example.com:443" } })).toBe("accepted");
  });

  it("has no path to compare at the root", () => {
    const root = { origin: "https://app.example.com", path: "/" };
    for (const aud of ["https://app.example.com", "https://app.example.com/", "https://app.example.com/anything"]) {
      expect(compare(aud, { own: root })).toBe("accepted");
    }
  });
});
