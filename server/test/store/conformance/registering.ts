import type { Manifest } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { StoredEndpoint } from "../../../src/store/port.js";
import { type Arena, NS } from "./arena.js";

function endpoint(versions: readonly string[], rest: Partial<StoredEndpoint> = {}): StoredEndpoint {
  return {
    ns: NS,
    id: newId("ep"),
    name: "shop",
    url: "https://shop.example/api/aiki",
    status: "healthy",
    headerNames: ["x-bypass"],
    sealedHeaders: "sealed",
    manifest: manifest(versions),
    manifestHash: "hash",
    maxDurationMs: 60_000,
    concurrency: 10,
    contentType: "application/json",
    signatureHeader: "authorization",
    createdAt: 1_000,
    describedAt: 2_000,
    trouble: undefined,
    ...rest,
  };
}

function manifest(versions: readonly string[]): Manifest {
  return {
    protocol: { min: 1, max: 1 },
    sdk: { name: "test", version: "1" },
    capabilities: { inlineCheckpoints: false, streaming: false, batch: false, maxDurationMs: 60_000 },
    workflows: versions.map((version) => ({ name: "checkout", version, events: [] })),
  };
}

const owns = (...versions: string[]) => versions.map((version) => ({ workflow: "checkout", version }));

export function registeringTests(given: () => Arena): void {
  it("keeps an endpoint as it was given, and which versions it owns", async () => {
    const [store] = given().stores;
    const full = endpoint(["1", "2"]);
    const bare = endpoint([], { name: "bare", sealedHeaders: undefined, maxDurationMs: undefined, headerNames: [] });
    expect(await store.saveEndpoint(full, false)).toEqual({ type: "saved" });
    expect(await store.saveEndpoint(bare, false)).toEqual({ type: "saved" });
    const listed = await store.listEndpoints(NS);
    expect(listed.find(({ id }) => id === full.id)).toEqual({ ...full, owns: owns("1", "2") });
    expect(listed.find(({ id }) => id === bare.id)).toEqual({ ...bare, owns: [] });
    expect(await store.listEndpoints("elsewhere")).toEqual([]);
  });

  it("replaces the endpoint of the same name, with or without its id", async () => {
    const [store] = given().stores;
    const first = endpoint(["1", "2"]);
    await store.saveEndpoint(first, false);
    const moved = { ...first, url: "https://new.example/", manifest: manifest(["2", "3"]) };
    expect(await store.saveEndpoint(moved, false)).toEqual({ type: "saved" });
    expect(await store.listEndpoints(NS)).toEqual([{ ...moved, owns: owns("2", "3") }]);
    const renewed = endpoint(["3"]);
    expect(await store.saveEndpoint(renewed, false)).toEqual({ type: "saved" });
    expect(await store.listEndpoints(NS)).toEqual([{ ...renewed, owns: owns("3") }]);
  });

  it("refuses a version that another endpoint owns, and writes nothing then", async () => {
    const [store] = given().stores;
    const first = endpoint(["1", "2"]);
    await store.saveEndpoint(first, false);
    const second = endpoint(["2", "3"], { name: "rival" });
    expect(await store.saveEndpoint(second, false)).toEqual({
      type: "version_owned",
      by: "shop",
      url: first.url,
      workflow: "checkout",
      version: "2",
    });
    expect(await store.listEndpoints(NS)).toEqual([{ ...first, owns: owns("1", "2") }]);
    expect(await store.saveEndpoint(endpoint(["2"], { name: "rival", ns: "elsewhere" }), false)).toEqual({
      type: "saved",
    });
  });

  it("hands a version over when that is asked for", async () => {
    const [store] = given().stores;
    const first = endpoint(["1", "2"]);
    const second = endpoint(["2", "3"], { name: "rival", createdAt: 2_000 });
    await store.saveEndpoint(first, false);
    expect(await store.saveEndpoint(second, true)).toEqual({ type: "saved" });
    expect((await store.listEndpoints(NS)).map((one) => [one.name, one.owns])).toEqual([
      ["shop", owns("1")],
      ["rival", owns("2", "3")],
    ]);
  });

  it("lets one of eight rivals have a version", async () => {
    const { stores } = given();
    const outcomes = await Promise.all(
      stores.map((store, i) => store.saveEndpoint(endpoint(["1"], { name: `rival-${i}` }), false)),
    );
    expect(outcomes.filter(({ type }) => type === "saved")).toHaveLength(1);
    expect(outcomes.filter(({ type }) => type === "version_owned")).toHaveLength(stores.length - 1);
    expect(await stores[0].listEndpoints(NS)).toHaveLength(1);
  });

  it("marks health and nothing else", async () => {
    const [store] = given().stores;
    const one = endpoint(["1"]);
    await store.saveEndpoint(one, false);
    const trouble = { code: "TLS_FAILED", message: "expired\u0000", at: 3_000 };
    await store.markEndpoint("elsewhere", one.id, "draining", undefined);
    await store.markEndpoint(NS, one.id, "unhealthy", trouble);
    expect(await store.listEndpoints(NS)).toEqual([{ ...one, status: "unhealthy", trouble, owns: owns("1") }]);
    await store.markEndpoint(NS, one.id, "healthy", undefined);
    expect(await store.listEndpoints()).toEqual([{ ...one, owns: owns("1") }]);
  });

  it("removes an endpoint and frees its versions", async () => {
    const [store] = given().stores;
    const one = endpoint(["1"]);
    await store.saveEndpoint(one, false);
    expect(await store.removeEndpoint("elsewhere", one.id)).toBe(false);
    expect(await store.removeEndpoint(NS, one.id)).toBe(true);
    expect(await store.removeEndpoint(NS, one.id)).toBe(false);
    expect(await store.listEndpoints()).toEqual([]);
    expect(await store.saveEndpoint(endpoint(["1"], { name: "rival" }), false)).toEqual({ type: "saved" });
  });
}
