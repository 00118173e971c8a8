import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { conformance, type Framework } from "../../../sdk/endpoint/test/conformance.js";
import type { Counts } from "../../../sdk/endpoint/test/probes.js";

const APP = fileURLToPath(new URL("app", import.meta.url));
const NEXT = createRequire(import.meta.url).resolve("next/dist/bin/next");

/** In a group of its own: Next starts further processes, and all of them must end. */
function next(args: string[], env: Record<string, string> = {}): ChildProcess & { output: string } {
  const child = spawn(process.execPath, [NEXT, ...args], {
    cwd: APP,
    detached: true,
    env: { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1", ...env },
  });
  const told = Object.assign(child, { output: "" });
  const collect = (chunk: Buffer): void => {
    told.output += chunk.toString();
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  return told;
}

let built: Promise<void> | undefined;
async function build(): Promise<void> {
  const child = next(["build"]);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`next build ended with ${code}:\n${child.output}`);
}

async function start(publicKeys: string): Promise<{ origin: string; close(): Promise<void> }> {
  built ??= build();
  await built;
  const child = next(["start", "-p", "0", "-H", "127.0.0.1"], { AIKI_PUBLIC_KEYS: publicKeys });
  const ended = once(child, "exit");
  const origin = await new Promise<string>((resolve, reject) => {
    const look = (): void => {
      const address = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(child.output)?.[0];
      if (address && child.output.includes("Ready in")) resolve(address);
    };
    child.stdout?.on("data", look);
    child.once("exit", () => reject(new Error(`next start ended:\n${child.output}`)));
  });
  return {
    origin,
    async close() {
      process.kill(-(child.pid as number), "SIGTERM");
      await ended;
    },
  };
}

function router(name: string, path: string, differs: NonNullable<Framework["differs"]>): Framework {
  return {
    name: `Next.js, ${name}`,
    adapter: "@aikirun/next",
    production: true,
    differs,
    async launch({ publicKeys }) {
      const { origin, close } = await start(publicKeys);
      return {
        url: origin + path,
        counts: async () => (await (await fetch(`${origin}/api/probes`)).json()) as Counts,
        close,
      };
    },
  };
}

conformance(router("app router", "/api/aiki", { methods: "Next answers for methods that a route does not export" }));
conformance(router("pages router without body parser", "/api/raw/aiki", {}));
conformance(
  router("pages router", "/api/parsed/aiki", {
    largeBody: "Next's body parser stops at 1 MB",
    vectors: {
      "body: signed, but not UTF-8":
        "Next's body parser has decoded the text, so the bytes are gone and the hash differs",
    },
  }),
);
