import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startOrchestrator } from "../orchestrator.js";
import { SOON, type Stage, stage, watch } from "./stage.js";
import { code, INJECTION } from "./workflows.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const HOSTILE = `hostile ${INJECTION}`;
const WIDTHS = [375, 1440];

let on: Stage;
/** Every page, and something on it that says that its data are there. */
let pages: [path: string, sign: string][];

beforeAll(async () => {
  on = await stage();
  code.changed = false;
  const order = await on.start(
    "order",
    "2.1.0",
    { customer: "Ada", cents: 990, sku: "tea", count: 1, rideMs: 50 },
    "o-1",
  );
  const failed = await on.start("invoice", "1.0.0", { file: `${"long-name-".repeat(30)}.pdf` });
  const stalled = await on.start("notice", "1.0.0");
  const hostile = await on.start(HOSTILE, "1.0.0", { text: INJECTION }, INJECTION);
  await on.start("legacy", "0.9.0", { waits: "for ever" });
  const { schedule } = await on.aiki.activateSchedule({
    workflow: "reminder",
    version: "1.0.0",
    input: { text: "weekly", days: 1 },
    recurrence: { type: "cron", expression: "0 9 * * 1", timezone: "Europe/Berlin" },
    reference: { id: "weekly" },
  });
  await on.aiki.createKey({ name: "ci", scope: "write" });
  await on.until(order, "suspended");
  await on.until(failed, "failed");
  await on.until(hostile, "failed");
  await on.until(stalled, "suspended");
  code.changed = true;
  await on.aiki.sendEvent(stalled, { name: "seen" });
  await on.until(stalled, "stalled");
  const endpoint = (await on.aiki.listEndpoints())[0]?.id;
  pages = [
    ["/", "Needs a person"],
    ["/runs", "legacy"],
    [`/runs/${order}`, "charge-card"],
    [`/runs/${order}?tab=data`, '"customer"'],
    [`/runs/${order}?tab=history`, "reserve-stock"],
    [`/runs/${order}?tab=children`, "delivery"],
    [`/runs/${order}?tab=pushes`, "committed"],
    [`/runs/${failed}`, "Failed in parse-invoice"],
    [`/runs/${stalled}`, "NON_DETERMINISM"],
    [`/runs/${hostile}`, "Failed in refuse"],
    ["/start?workflow=order", "customer"],
    ["/start?workflow=reminder", "Input (JSON)"],
    ["/workflows", "legacy"],
    ["/workflows/version?name=order&version=2.1.0", "Event delivered"],
    ["/endpoints", "shop"],
    [`/endpoints/${endpoint}`, "Latency of pushes"],
    ["/schedules", "weekly"],
    [`/schedules/${schedule.id}`, "Next fires"],
    ["/keys", "ci"],
    ["/sign-in", "Sign in to Aiki"],
    ["/nowhere", "There is no such page"],
  ];
});
afterAll(() => on?.close());
afterEach(() => expect(on.complaints.splice(0)).toEqual([]));

async function visit(page: Page, [path, sign]: readonly [string, string]): Promise<void> {
  await page.goto(on.url + path);
  await page.getByText(sign).filter({ visible: true }).first().waitFor();
}

/** What axe-core, which the page has been given, finds serious. */
async function seriousOf(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(options: object): Promise<AxeResults> } }).axe.run({
      resultTypes: ["violations"],
    }),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html.slice(0, 160))
          .join(" | ")}`,
    );
}

/** What is wrong with the page that is open. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const faults = await seriousOf(page);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) faults.push(`is wider than ${width} by ${over}`);
  }
  const primary = await page.locator("main [class*=primary]").count();
  if (primary > 1) faults.push(`has ${primary} primary actions`);
  if (await page.evaluate(() => "injected" in globalThis)) faults.push("has run what somebody sent");
  if ((await page.locator("img, main script").count()) > 0) faults.push("has made markup of what somebody sent");
  return faults;
}

describe("every page", () => {
  it.each(["light", "dark"] as const)(
    "is fit for assistive technology, a phone and what anybody sends, in %s",
    { timeout: 180_000 },
    async (colorScheme) => {
      const page = await on.open("/", { colorScheme });
      const found: string[] = [];
      for (const one of pages) {
        await page.setViewportSize({ width: 1440, height: 900 });
        await visit(page, one);
        for (const fault of await faultsOf(page)) found.push(`${one[0]} ${fault}`);
      }
      expect(found).toEqual([]);
      await page.goto(`${on.url}/runs`);
      await page.getByRole("link", { name: HOSTILE }).waitFor();
    },
  );
});

describe("what opens over a page", () => {
  it.each([
    ["/endpoints", "Register …"],
    ["/schedules", "New schedule …"],
    ["/keys", "New key …"],
    ["/", "Menu"],
  ])("fits a phone and assistive technology: %s, %s", async (path, button) => {
    const page = await on.open(path, { viewport: { width: 375, height: 760 } });
    await page.getByRole("button", { name: button, exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    expect(await dialog.evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
    await page.keyboard.press("Tab");
    expect(await dialog.evaluate((one) => one.contains(document.activeElement))).toBe(true);
    await page.evaluate(AXE);
    expect(await seriousOf(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });
});

describe("an orchestrator that is new", () => {
  it("asks nobody for a key in `aiki dev`, and says what to type next on every page", async () => {
    const dev = await startOrchestrator();
    onTestFinished(() => dev.stop());
    const context = await on.browser.newContext({ viewport: { width: 375, height: 760 } });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    watch(page, on.complaints);
    for (const [path, sign] of [
      ["/", "npx aiki init"],
      ["/runs", "aiki runs start hello"],
      ["/start", "aiki endpoints register"],
      ["/workflows", "aiki init"],
      ["/endpoints", "aiki endpoints register"],
      ["/schedules", "aiki schedules create"],
      ["/keys", "aiki keys create"],
    ]) {
      await page.goto(dev.url + path);
      await page
        .getByText(sign ?? "")
        .filter({ visible: true })
        .first()
        .waitFor();
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(over, path).toBeLessThanOrEqual(0);
      const command = page
        .getByText(sign ?? "")
        .filter({ visible: true })
        .first();
      const { x = 0, width = 0 } = (await command.locator("..").boundingBox()) ?? {};
      expect(x + width, path).toBeLessThanOrEqual(375);
    }
  });
});

describe("the page as such", () => {
  it("is reached by the keyboard alone", async () => {
    const page = await on.open("/");
    await page.getByText("Needs a person").waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the page");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("Runs");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle);
    expect(outline).toBe("solid");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Runs" }).waitFor();
    expect(await page.title()).toBe("Runs · Aiki");
  });

  it("keeps the theme that somebody chose", async () => {
    const page = await on.open("/", { colorScheme: "light" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: /Switch to light/ }).click();
    await page.getByRole("button", { name: /Switch to dark/ }).click();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByRole("heading", { name: "Home" }).waitFor();
    expect(await ground()).toBe(dark);
  });

  it("does not jump while runs arrive", async () => {
    const page = await on.open("/runs", { viewport: { width: 1440, height: 900 } });
    await page.getByText("Live", { exact: true }).waitFor();
    await page.evaluate(() => {
      const seen = globalThis as unknown as { shift: number };
      seen.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) seen.shift += (entry as unknown as { value: number }).value;
      }).observe({ type: "layout-shift", buffered: false });
    });
    const ids = await Promise.all(Array.from({ length: 12 }, () => on.start("patient", "1.0.0")));
    const newest = ids.toSorted().at(-1) ?? "";
    await page.locator(`[title="${newest}"]`).waitFor();
    await expect.poll(() => page.locator(`[title="${newest}"]`).count(), SOON).toBe(1);
    expect(await page.evaluate(() => (globalThis as unknown as { shift: number }).shift)).toBeLessThan(0.02);
  });

  it("says what the API says when something is not there", async () => {
    const page = await on.open(`/runs/run_${"0".repeat(26)}`);
    await page.getByRole("alert").getByText("NOT_FOUND").waitFor();
  });
});
