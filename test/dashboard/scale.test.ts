import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { SOON, type Stage, stage } from "./stage.js";

const RUNS = 100_000;
/** How far somebody scrolls: fifteen pages. */
const READ = 1_500;
const TASKS = 1_000;
/** Rows that are in the document at a time, whatever was read. */
const MOST_ROWS = 120;

let on: Stage;
beforeAll(async () => {
  on = await stage();
});
afterAll(() => on?.close());
afterEach(() => expect(on.complaints.splice(0)).toEqual([]));

it("draws a run of a thousand tasks, finds one among them and zooms to it", { timeout: 60_000 }, async () => {
  const id = await on.start("catalogue-import", "1.4.2", { rows: TASKS, batch: 250 });
  await on.until(id, "completed");
  const page = await on.open(`/runs/${id}`, { viewport: { width: 1440, height: 900 } });
  await page.getByText("1,000 entries").waitFor();
  const rows = page.getByRole("list", { name: "Entries" }).getByRole("listitem");
  expect(await rows.count()).toBeLessThan(MOST_ROWS);
  const last = page.locator("[data-entry]");
  await last.first().hover();
  await expect
    .poll(async () => {
      await page.mouse.wheel(0, 40_000);
      return last.last().getAttribute("data-entry");
    }, SOON)
    .toMatch(/^task:import-row/);
  expect(await rows.count()).toBeLessThan(MOST_ROWS);

  const wide = await rows.first().locator("[title^=attempt]").boundingBox();
  await page
    .getByRole("button", { name: /^import-row/ })
    .first()
    .click();
  await page.getByRole("button", { name: "Zoom to it" }).click();
  await expect
    .poll(async () => (await page.locator("[data-selected=true] [title^=attempt]").boundingBox())?.width ?? 0, SOON)
    .toBeGreaterThan((wide?.width ?? 0) * 2);

  await page.getByLabel("Find entries by name, kind or state").fill("nothing of that name");
  await expect.poll(() => rows.count(), SOON).toBe(0);
});

it("lists a hundred thousand runs, page by page, without a gap and with few rows in the document", {
  timeout: 90_000,
}, async () => {
  await insertRuns(on, RUNS);
  const page = await on.open("/runs?status=completed,failed", { viewport: { width: 1440, height: 900 } });
  const table = page.getByRole("table", { name: "Runs" });
  await table.getByRole("row").nth(5).waitFor();
  await page.getByRole("button", { name: /^completed.*10K\+/ }).waitFor();

  const seen = new Set<number>();
  const look = async () => {
    const ids = await table
      .locator("[title^=run_0000]")
      .evaluateAll((all) => all.map((one) => one.getAttribute("title")));
    for (const id of ids) seen.add(Number.parseInt(id?.slice(-8) ?? "", 16));
    return ids.length;
  };
  const deadline = performance.now() + 60_000;
  while (seen.size < READ && performance.now() < deadline) {
    expect(await look()).toBeLessThan(MOST_ROWS);
    await page.mouse.wheel(0, 600);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  const numbers = [...seen].toSorted((a, b) => b - a);
  expect(numbers.length).toBeGreaterThanOrEqual(READ);
  expect(numbers[0]).toBe(RUNS);
  // Newest first, each once, none left out.
  expect(numbers.slice(0, READ)).toEqual(Array.from({ length: READ }, (_, i) => RUNS - i));

  // What comes while somebody is far down waits for a press, and moves nothing.
  const top = await page.evaluate(() => window.scrollY);
  await insertRuns(on, 3, RUNS);
  await page.getByRole("button", { name: "3 new runs" }).click();
  expect(await page.evaluate(() => window.scrollY)).toBeLessThan(top);
  await page.locator(`[title$="${(RUNS + 3).toString(16).padStart(8, "0")}"]`).waitFor();
});

/** Runs that ended long ago, as the store would have left them. */
async function insertRuns(stage: Stage, count: number, after = 0): Promise<void> {
  await stage.database.pool.query(
    `INSERT INTO aiki.run (ns, id, workflow, version, created_at, run_attempt, reference, request_hash, status, ended_at, end_gen)
     SELECT 'default', 'run_' || lpad(to_hex(n), 26, '0'), 'bulk', '1.0.0', 1700000000000 + n * 1000, 1,
            'bulk-' || n, 'x', CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'completed' END, 1700000000000 + n * 1000 + 400, 1
       FROM generate_series($1::int + 1, $1::int + $2::int) n`,
    [after, count],
  );
  await stage.database.pool.query("ANALYZE aiki.run");
}
