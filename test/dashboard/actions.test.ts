import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { KEY, SOON, type Stage, stage } from "./stage.js";
import { code } from "./workflows.js";

let on: Stage;
beforeAll(async () => {
  on = await stage();
});
afterAll(() => on?.close());
afterEach(() => expect(on.complaints.splice(0)).toEqual([]));

const status = (page: Page) => page.getByRole("heading", { level: 1 }).locator("[data-status]");
const press = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: true }).click();
const shows = (page: Page, wanted: string) =>
  expect.poll(() => status(page).getAttribute("data-status"), SOON).toBe(wanted);

describe("signing in", () => {
  it("asks for a key, says why one is refused, leads back to where somebody was, and out again", async () => {
    const page = await on.open("/runs?status=failed", { storageState: { cookies: [], origins: [] } });
    await page.getByLabel("API key").fill(`not-${KEY}`);
    await press(page, "Sign in");
    await page.getByText("UNAUTHORIZED").waitFor();
    await page.getByLabel("API key").fill(KEY);
    await press(page, "Sign in");
    await page.getByRole("heading", { name: "Runs" }).waitFor();
    expect(new URL(page.url()).search).toBe("?status=failed");
    expect(await page.evaluate(() => document.cookie)).toBe("");
    await press(page, "Sign out");
    await page.getByRole("heading", { name: "Sign in to Aiki" }).waitFor();
    await page.goto(`${on.url}/keys`);
    await page.getByRole("heading", { name: "Sign in to Aiki" }).waitFor();
  });
});

describe("one run", () => {
  it("is paused, resumed, sent an event that its schema checks, and followed without a reload", async () => {
    const id = await on.start("order", "2.1.0", { customer: "Ada", cents: 990, sku: "tea", count: 1, rideMs: 50 });
    const page = await on.open(`/runs/${id}`);
    await shows(page, "suspended");
    await page.getByText("delivered").first().waitFor();
    await press(page, "Pause");
    await shows(page, "paused");
    await press(page, "Resume");
    await shows(page, "suspended");
    await press(page, "Send event …");
    await press(page, "Send");
    await page.getByText("This is needed.").waitFor();
    await page.getByLabel("signedBy").fill("Grace");
    await press(page, "Send");
    await shows(page, "completed");
    await page.getByRole("tab", { name: "Input and output" }).click();
    await page.getByText('"Grace"').waitFor();
    expect((await on.aiki.getRun(id)).output).toMatchObject({ signedBy: "Grace" });
  });

  it("shows attempts, children and pushes", async () => {
    const id = await on.start("order", "2.1.0", { customer: "Alan", cents: 990, sku: "tea", count: 1, rideMs: 50 });
    await on.until(id, "suspended");
    const page = await on.open(`/runs/${id}`);
    await page.getByRole("button", { name: /^charge-card/ }).click();
    await page.getByText("3. completed").waitFor();
    await page.getByText("the bank did not answer (attempt 2)").first().waitFor();
    await page.getByRole("button", { name: "Open the child delivery@1.0.0" }).click();
    await expect.poll(() => page.getByRole("button", { name: /^pack-parcel/ }).count(), SOON).toBe(3);
    await page.getByRole("tab", { name: /^Children/ }).click();
    await page.getByRole("row", { name: /delivery/ }).waitFor();
    await page.getByRole("tab", { name: "Pushes" }).click();
    await page
      .getByRole("row", { name: /committed/ })
      .first()
      .waitFor();
    await page.getByRole("tab", { name: /^History/ }).click();
    await page.getByRole("button", { name: /reserve-stock/ }).click();
    await page.getByText('"rsv-tea-1"').waitFor();
  });

  it("is woken from its sleep", async () => {
    const id = await on.start("reminder", "1.0.0", { text: "later", days: 9 });
    const page = await on.open(`/runs/${id}`);
    await shows(page, "suspended");
    await page
      .getByText(/^in 8 d|^in 9 d/)
      .first()
      .waitFor();
    await press(page, "Wake up");
    await shows(page, "completed");
  });

  it("is cancelled with a reason, after a question", async () => {
    const id = await on.start("patient", "1.0.0");
    const page = await on.open(`/runs/${id}`);
    await shows(page, "suspended");
    await press(page, "Cancel …");
    await page.getByLabel("Reason (optional)").fill("asked by the customer");
    await press(page, "Cancel the run");
    await shows(page, "cancelled");
    await page.getByText("asked by the customer").waitFor();
  });

  it("tells why it failed, and is retried", async () => {
    const id = await on.start("invoice", "1.0.0", { file: "march.pdf" });
    await on.until(id, "failed");
    const page = await on.open(`/runs/${id}`);
    await page.getByText("Failed in parse-invoice").waitFor();
    await page
      .getByText(/at Object\.handler/)
      .filter({ visible: true })
      .first()
      .waitFor();
    await press(page, "Retry");
    await expect.poll(async () => (await on.aiki.getRun(id)).runAttempt, SOON).toBe(2);
    await page.getByText("Attempt", { exact: true }).waitFor();
  });

  it("shows both sides of a divergence, and is requeued", async () => {
    code.changed = false;
    const id = await on.start("notice", "1.0.0");
    await on.until(id, "suspended");
    code.changed = true;
    await on.aiki.sendEvent(id, { name: "seen" });
    await on.until(id, "stalled");
    const page = await on.open(`/runs/${id}`);
    await page.getByText("NON_DETERMINISM").first().waitFor();
    await page.getByText("Asked for, and not recorded").waitFor();
    code.changed = false;
    await press(page, "Requeue");
    await shows(page, "completed");
  });

  it("copies itself as a command", async () => {
    const id = await on.start("patient", "1.0.0");
    const page = await on.open(`/runs/${id}`, { permissions: ["clipboard-read", "clipboard-write"] });
    await press(page, "CLI");
    await page.getByRole("menuitem", { name: "Pause" }).click();
    await page.getByText("Copied").first().waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`aiki runs pause ${id}`);
  });
});

describe("starting a run", () => {
  it("by a form that the schema makes", async () => {
    const page = await on.open("/start?workflow=order");
    await press(page, "Start the run");
    await expect.poll(() => page.getByText("This is needed.").count(), SOON).toBe(5);
    await page.getByLabel("customer").fill("Barbara");
    await page.getByLabel("cents").fill("-1");
    await page.getByLabel("sku").selectOption("coffee");
    await page.getByLabel("count").fill("2");
    await page.getByLabel("rideMs").fill("10");
    await press(page, "Start the run");
    await page
      .getByText(/expected a number/)
      .first()
      .waitFor();
    await page.getByLabel("cents").fill("450");
    await press(page, "Start the run");
    await page.waitForURL(/\/runs\/run_/);
    const id = page.url().split("/").at(-1) ?? "";
    expect((await on.aiki.getRun(id)).input).toMatchObject({ customer: "Barbara", cents: 450, sku: "coffee" });
  });

  it("with JSON that is checked while it is typed", async () => {
    const page = await on.open("/start?workflow=reminder");
    await page.getByLabel("Input (JSON)").fill(`{"text": `);
    await page.getByText(/^This is not JSON yet/).waitFor();
    await page.getByLabel("Input (JSON)").fill(`{"text": "hello", "days": 1}`);
    await press(page, "Start the run");
    await page.waitForURL(/\/runs\/run_/);
    await shows(page, "suspended");
  });
});

describe("many runs", () => {
  it("are filtered by the address, and told apart by status", async () => {
    const reference = "filtered-run-1";
    const id = await on.start("patient", "1.0.0", undefined, reference);
    await on.until(id, "suspended");
    const page = await on.open(`/runs?q=${reference}`);
    await page.getByRole("row", { name: new RegExp(reference) }).waitFor();
    await expect.poll(() => page.getByRole("row").count(), SOON).toBe(2);
    await page.getByRole("button", { name: /^completed/ }).click();
    await page.getByText("No run matches").waitFor();
    expect(new URL(page.url()).searchParams.get("status")).toBe("completed");
    await press(page, "Clear the filters");
    await page.getByLabel("Workflow", { exact: true }).selectOption("patient");
    await page.getByRole("row", { name: new RegExp(reference) }).waitFor();
    expect(new URL(page.url()).search).toBe("?workflow=patient");
  });

  it("appear and change without a reload", async () => {
    const page = await on.open("/runs?workflow=delivery");
    await page.getByText("Live", { exact: true }).waitFor();
    const id = await on.start("delivery", "1.0.0", { order: "live", parcels: 1, rideMs: 1_500 });
    const row = page.getByRole("row").filter({ has: page.locator(`[title="${id}"]`) });
    await row.waitFor();
    await expect.poll(() => row.locator("[data-status]").getAttribute("data-status"), SOON).toBe("completed");
  });

  it("are cancelled by a filter, after a question in words", async () => {
    const ids = await Promise.all([1, 2, 3].map(() => on.start("reminder", "1.0.0", { text: "bulk", days: 3 })));
    for (const id of ids) await on.until(id, "suspended");
    const page = await on.open("/runs?workflow=reminder");
    await press(page, "Act on all");
    await page.getByRole("menuitem", { name: /^Cancel/ }).click();
    await page.getByText("Cancel runs of reminder?").waitFor();
    await press(page, "Cancel all of them");
    for (const id of ids) await on.until(id, "cancelled");
    await page.getByText(/told to stop/).waitFor();
  });

  it("are retried by a filter", async () => {
    const id = await on.start("invoice", "1.0.0", { file: "april.pdf" });
    await on.until(id, "failed");
    const page = await on.open("/runs?workflow=invoice&status=failed");
    await press(page, "Act on all");
    await page.getByRole("menuitem", { name: /^Retry/ }).click();
    await press(page, "Retry all of them");
    await expect.poll(async () => (await on.aiki.getRun(id)).runAttempt, SOON).toBe(2);
  });
});

describe("schedules", () => {
  it("are made, triggered, paused, resumed and deleted", async () => {
    const page = await on.open("/schedules");
    await press(page, "New schedule …");
    await page.getByLabel("Workflow").selectOption("reminder@1.0.0");
    await page.getByLabel("Cron expression").fill("0 9 * * 1");
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByLabel("Reference id (optional)").fill("weekly");
    await page.getByLabel("Input (JSON)").fill(`{"text":"weekly","days":1}`);
    await press(page, "Create");
    await page.getByRole("link", { name: "weekly" }).click();
    await page.getByText("Next fires").waitFor();
    await press(page, "Trigger");
    await expect.poll(async () => (await on.aiki.listSchedules()).schedules[0]?.started, SOON).toBe(1);
    await press(page, "Pause");
    await shows(page, "paused");
    await press(page, "Resume");
    await shows(page, "active");
    await press(page, "Delete …");
    await press(page, "Delete");
    await page.getByText("Nothing is scheduled").waitFor();
  });
});

describe("endpoints", () => {
  it("are asked again, and refused with the reason", async () => {
    const page = await on.open("/endpoints");
    await page.getByRole("link", { name: "shop" }).click();
    await shows(page, "healthy");
    await press(page, "Ask again what it serves");
    await page.getByText("Asked again").first().waitFor();
    await page.goto(`${on.url}/endpoints`);
    await press(page, "Register …");
    await page.getByLabel("URL").fill(`${on.url}/nothing-here`);
    await press(page, "Register");
    await page
      .getByRole("alert")
      .getByText(/NOT_AN_ENDPOINT|BAD_ANSWER|PROTECTED_BY_HOST/)
      .waitFor();
  });
});

describe("keys", () => {
  it("are made, shown once, and revoked", async () => {
    const page = await on.open("/keys");
    await press(page, "New key …");
    await page.getByLabel("Name (optional)").fill("grafana");
    await page.getByLabel("Scope").selectOption("read");
    await press(page, "Create");
    const secret = (await page.locator("[data-secret]").textContent()) ?? "";
    expect(secret).toMatch(/^aiki_/);
    await press(page, "Done");
    const row = page.getByRole("row", { name: /grafana/ });
    await row.getByRole("button", { name: "Revoke …" }).click();
    await press(page, "Revoke");
    await row.getByText("revoked").waitFor();
  });
});
