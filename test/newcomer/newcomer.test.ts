import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { workspaces } from "../../scripts/workspaces.js";
import { type Newcomer, newcomer } from "./newcomer.js";
import { readmeCommands } from "./readme.js";

const INSTALLS_MS = 300_000;
const START_MS = 120_000;
const CREATE_NEXT_APP =
  "npx --yes create-next-app@16.4.3 shop --ts --app --empty --no-linter --no-tailwind --no-src-dir --no-react-compiler --no-agents-md --import-alias '@/*' --use-npm --disable-git";

describe("a newcomer who types what README.md says, with nothing but the packed packages", () => {
  let person: Newcomer;
  const packed = Object.fromEntries(
    workspaces()
      .filter(({ manifest }) => manifest.private !== true)
      .map(({ manifest: { name, version } }) => [
        `node_modules/${name}`,
        `file:../aiki/packed/${name.slice(1).replace("/", "-")}-${version}.tgz`,
      ]),
  );
  beforeAll(async () => {
    // The README's commands use the ordinary ports; whoever sits there would be mistaken for the newcomer's app.
    for (const port of [3000, 9850]) {
      if (await isOpen(port)) throw new Error(`Port ${port} is in use; a newcomer's machine has it free.`);
    }
    person = await newcomer();
  });
  afterAll(() => person?.goAway());

  it("reaches the first completed run in an empty folder", { timeout: INSTALLS_MS + START_MS }, async () => {
    const folder = person.makeFolder("hello");
    person.useRegistry(folder);
    await reachesFirstRun(folder, "folder", /^endpoint on /);
  });

  it("reaches the first completed run in a fresh Next.js app", { timeout: INSTALLS_MS + START_MS }, async () => {
    await person.type(person.folder, CREATE_NEXT_APP);
    const folder = join(person.folder, "shop");
    person.useRegistry(folder);
    await reachesFirstRun(folder, "next", /Ready in/);
  });

  async function reachesFirstRun(folder: string, kind: string, appIsReady: RegExp): Promise<void> {
    const commands = readmeCommands(kind);
    const startApp = commands.pop() ?? "";
    let installed = performance.now();
    for (const command of commands) {
      await person.type(folder, command);
      if (command.startsWith("npm install")) installed = performance.now();
    }
    const app = person.leave(folder, startApp);
    await app.line(appIsReady, START_MS);
    const orchestrator = person.leave(folder, readmeCommands("orchestrator").join("\n"));
    await orchestrator.line(/^aiki ready /, START_MS);
    await orchestrator.line(/endpoint .*hello@1\.0\.0/, START_MS);
    const output = await person.type(folder, readmeCommands("run").join("\n"));
    console.log(
      `${kind}: first completed run ${((performance.now() - installed) / 1000).toFixed(1)} s after the installs`,
    );
    expect(output).toContain("Hello, Ada!");
    expect(output).toContain("completed");
    expect(sourcesOf(folder)).toEqual(packed);
    await orchestrator.stop();
    await app.stop();
  }
});

/** Where npm took each of Aiki's packages from. */
function sourcesOf(folder: string): Record<string, string> {
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as Lockfile;
  const own = Object.entries(lock.packages).filter(([path]) => /node_modules\/@aikirun\/[^/]+$/.test(path));
  return Object.fromEntries(own.map(([path, { resolved }]) => [path, resolved]));
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly resolved: string }>>;
}

async function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "localhost" });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.end());
  });
}
