import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Where development servers listen: Next, Remix, Express (3000 and the next free ones), Nuxt, Astro, Vite, Django-like, Wrangler, Netlify. */
export const USUAL_PORTS: readonly number[] = [
  3000, 3001, 3002, 3003, 3004, 3005, 4000, 4321, 5173, 8000, 8080, 8787, 8788, 8888,
];

/** What the scripts of the package.json in `folder` say: `PORT=4100`, `-p 4100`, `--port 4100`, `--port=4100`. */
export function hintedPorts(folder: string): number[] {
  const scripts = Object.values(readScripts(folder)).filter((script) => typeof script === "string");
  const found = scripts.flatMap((script) => [...script.matchAll(/(?:\bPORT=|(?:^|\s)(?:-p|--port)[= ])(\d{2,5})\b/g)]);
  return found.map((match) => Number(match[1])).filter((port) => port <= 65_535);
}

function readScripts(folder: string): Record<string, unknown> {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const scripts = typeof manifest === "object" && manifest !== null && "scripts" in manifest ? manifest.scripts : {};
    return typeof scripts === "object" && scripts !== null ? { ...scripts } : {};
  } catch {
    return {};
  }
}

/** `3000-3005, 4000`: ports as a person reads them. */
export function portsText(ports: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const port of [...new Set(ports)].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range && range[1] === port - 1) range[1] = port;
    else ranges.push([port, port]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(", ");
}
