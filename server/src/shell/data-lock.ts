/** One owner per data folder. A lock whose owner is dead is taken over. */
import { readFileSync } from "node:fs";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AikiError } from "@aikirun/protocol/canonical";

interface Owner {
  readonly pid: number;
  /** When the process started, where the system tells: a number may be somebody else's by now. */
  readonly started: string | undefined;
}

/** Locks that this process holds: its own number in a file says nothing. */
const held = new Set<string>();

/** Throws `DATA_LOCKED`, naming the owner. Returns how to let go. */
export async function lockData(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, "lock");
  if (held.has(path)) throw lockedBy(folder, process.pid);
  held.add(path);
  try {
    await take(folder, path);
  } catch (error) {
    held.delete(path);
    throw error;
  }
  return async () => {
    await rm(path, { force: true });
    held.delete(path);
  };
}

async function take(folder: string, path: string): Promise<void> {
  const mine: Owner = { pid: process.pid, started: startOf(process.pid) };
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(mine));
  try {
    // Two that find the same dead owner must not both win: a link is made once, a file is moved away once.
    for (;;) {
      const made = await link(draft, path).then(() => true, ifCode("EEXIST", false));
      if (made) return;
      const text = await readFile(path, "utf8").catch(ifCode("ENOENT", undefined));
      if (text === undefined) continue;
      const owner = parse(text);
      if (owner && isAlive(owner)) throw lockedBy(folder, owner.pid);
      await moveAway(path, text);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function moveAway(path: string, dead: string): Promise<void> {
  const aside = `${path}.dead.${process.pid}`;
  await rename(path, aside).catch(ifCode("ENOENT", undefined));
  const moved = await readFile(aside, "utf8").catch(ifCode("ENOENT", dead));
  // Somebody was faster, and this is the lock of the living: put it back.
  if (moved !== dead) await link(aside, path).catch(ifCode("EEXIST", undefined));
  await rm(aside, { force: true });
}

function parse(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Owner;
    return Number.isInteger(owner.pid) ? owner : undefined;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, started }: Owner): boolean {
  // In a container the numbers start over: our own in a file that we did not write is a dead one's.
  if (pid === process.pid || !processExists(pid)) return false;
  return started === undefined || startOf(pid) === started;
}

export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Field 22 of /proc/pid/stat (proc(5)): the second field is a name in parentheses, which may hold anything. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function lockedBy(folder: string, pid: number): AikiError {
  return new AikiError(
    "DATA_LOCKED",
    `The data in ${folder} is in use by process ${pid}. Stop that process, or choose another folder with --data.`,
    { details: { folder, pid } },
  );
}

function ifCode<T>(code: string, value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === code) return value;
    throw error;
  };
}
