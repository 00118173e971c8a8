import { describe, expect, it } from "vitest";
import { canonicalJson, entryKey, findJsonFault, inputHash, jsonTextDepth, parseEntryKey } from "../src/canonical.js";

describe("canonical JSON (RFC 8785)", () => {
  it("sorts members by UTF-16 code units and prints numbers as ECMAScript does", () => {
    // The example of RFC 8785, section 3.2.3.
    const value = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7 };
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
    // biome-ignore lint/correctness/noPrecisionLoss: RFC 8785 gives this literal as its example
    expect(canonicalJson([333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001, -0])).toBe(
      "[333333333.3333333,1e+30,4.5,0.002,1e-27,0]",
    );
  });

  it("hashes equal values equally, whatever the order of members", () => {
    expect(inputHash({ a: 1, b: [true, null] })).toBe(inputHash({ b: [true, null], a: 1 }));
    expect(inputHash(undefined)).toBe(inputHash(null));
    expect(inputHash({ a: 1 })).not.toBe(inputHash({ a: "1" }));
  });
});

describe("entry keys", () => {
  it("come apart as they were put together, whatever stands in a name", () => {
    expect(parseEntryKey(entryKey("task", "a#1:b:ff", 12))).toEqual({ kind: "task", address: "a#1:b:ff", index: 12 });
    expect(parseEntryKey("task:a")).toBeUndefined();
    expect(parseEntryKey("other:a#0")).toBeUndefined();
  });
});

describe("JSON faults", () => {
  it("names the place and the reason", () => {
    expect(findJsonFault({ a: [1, { f: () => 1 }] })).toEqual({ path: "$.a[1].f", reason: "is a function" });
    expect(findJsonFault({ n: 1n })).toEqual({ path: "$.n", reason: "is a bigint" });
    expect(findJsonFault({ at: new Date(0), gone: undefined })).toBeUndefined();
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    expect(findJsonFault(loop)?.path).toBe("$.self");
  });

  it("counts the depth of a text without parsing it", () => {
    expect(jsonTextDepth('{"a":"]]\\"[[","b":[[1]]}')).toBe(3);
    expect(jsonTextDepth("[".repeat(200_000))).toBe(200_000);
  });
});
