import { test } from "vitest";
import { programsEndAsPlainly } from "./in-virtual-time.js";

test("5,000 random programs end as plain execution does, seed 2", { timeout: 300_000 }, () =>
  programsEndAsPlainly(2, 5_000),
);
