/** The browser that pages are looked at with: Debian's chromium, or another one that is there. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A container's shared memory may be too small for a page.
  "--disable-dev-shm-usage",
];

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: find() ?? install(), args: ARGS });
}

function find(): string | undefined {
  return PLACES.find((place) => existsSync(place));
}

/** A machine of its own, such as that of `.ci/run`, may be changed; somebody else's is told how. */
function install(): string {
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    execFileSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation"], {
      env,
      stdio: "ignore",
    });
  }
  const found = find();
  if (found === undefined) {
    throw new Error("The dashboard's tests need chromium: apt-get install chromium, or install Google Chrome.");
  }
  return found;
}
