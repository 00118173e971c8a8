import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { root } from "../../scripts/workspaces.js";

const BUILT = join(root, "server/dist/dashboard");
const MOST_BYTES = 250 * 1024;

/** A page's script with all that it imports before it runs: what somebody waits for. */
function scriptsOf(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(join(BUILT, file), "utf8");
  for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*"\.\/([^"]+\.js)"/g)) scriptsOf(`assets/${name}`, found);
  return found;
}

it("loads any page with less than 250 KiB of script", () => {
  const entry = /<script type="module"[^>]* src="\/(assets\/[^"]+)"/.exec(
    readFileSync(join(BUILT, "index.html"), "utf8"),
  )?.[1];
  expect(entry).toBeDefined();
  const first = scriptsOf(entry ?? "");
  const lazy = [
    ...readFileSync(join(BUILT, entry ?? ""), "utf8").matchAll(/import\(\s*[`"]\.\/([^`"]+\.js)[`"]\s*\)/g),
  ];
  expect(lazy.length).toBeGreaterThan(8);
  for (const [, page] of lazy) {
    const scripts = scriptsOf(`assets/${page}`, new Set(first));
    const bytes = [...scripts].reduce((sum, file) => sum + gzipSync(readFileSync(join(BUILT, file))).byteLength, 0);
    expect(bytes, page).toBeLessThan(MOST_BYTES);
  }
});

it("holds nothing that the content security policy would stop", () => {
  const html = readFileSync(join(BUILT, "index.html"), "utf8");
  expect(html).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/);
});
