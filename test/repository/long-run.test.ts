import { afterEach, expect, it, vi } from "vitest";

afterEach(() => vi.unstubAllEnvs());

// The long run is begun by hand and seldom: that vitest refuses its projects would be found too late.
it.each(["0", "1"])("projects that begin together share one width, with LONG_TESTS=%s", async (long) => {
  vi.stubEnv("LONG_TESTS", long);
  vi.resetModules();
  const { default: config } = await import("../../vitest.config.js");
  const widths = new Map<number, Set<number | string | undefined>>();
  for (const project of config.test?.projects ?? []) {
    if (typeof project !== "object" || !("test" in project)) throw new Error("a project is written out here");
    const order = project.test?.sequence?.groupOrder ?? 0;
    widths.set(order, (widths.get(order) ?? new Set()).add(project.test?.maxWorkers));
  }
  expect(widths.size).toBeGreaterThan(2);
  for (const [order, width] of widths) expect([...width], `group ${order}`).toHaveLength(1);
});
