/**
 * What every store must do. Run by each implementation; a new one starts by passing this. After every test each live run
 * must have exactly one reason to progress.
 */
import { afterEach, beforeEach, describe, expect } from "vitest";
import type { Arena } from "./conformance/arena.js";
import { askingTests } from "./conformance/asking.js";
import { bulkMailingTests } from "./conformance/bulk-mailing.js";
import { committingTests } from "./conformance/committing.js";
import { handingTests } from "./conformance/handing.js";
import { keepingKeysTests } from "./conformance/keeping-keys.js";
import { leasingTests } from "./conformance/leasing.js";
import { mailingTests } from "./conformance/mailing.js";
import { pushTests, statsTests } from "./conformance/observing.js";
import { racingTests } from "./conformance/racing.js";
import { registeringTests } from "./conformance/registering.js";
import { retryingTests } from "./conformance/retrying.js";
import { schedulingTests } from "./conformance/scheduling.js";
import { startingTests } from "./conformance/starting.js";

export function storeConformance(name: string, makeArena: () => Promise<Arena>): void {
  describe(`${name} conforms`, () => {
    let arena: Arena;
    beforeEach(async () => {
      arena = await makeArena();
    });
    afterEach(async () => {
      try {
        expect(await arena.orphans()).toEqual([]);
      } finally {
        await arena.close();
      }
    });
    const given = () => arena;
    describe("start", () => startingTests(given));
    describe("append", () => mailingTests(given));
    describe("append by filter", () => bulkMailingTests(given));
    describe("leases", () => leasingTests(given));
    describe("runs in other hands", () => handingTests(given));
    describe("commit", () => committingTests(given));
    describe("retry", () => retryingTests(given));
    describe("races", () => racingTests(given));
    describe("queries", () => askingTests(given));
    describe("pushes", () => pushTests(given));
    describe("statistics", () => statsTests(given));
    describe("schedules", () => schedulingTests(given));
    describe("endpoints", () => registeringTests(given));
    describe("keys", () => keepingKeysTests(given));
  });
}
