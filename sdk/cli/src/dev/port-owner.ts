/** Who holds a port: `aiki dev` leaves a note, so that a second one can say which project to stop. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, sep } from "node:path";
import { AikiError } from "@aikirun/protocol/canonical";

interface Note {
  readonly pid: number;
  readonly folder: string;
}

/** Leaves the note; returns what takes it away. A machine where that fails only loses a better text. */
export function noteOwner(port: number, folder: string): () => void {
  const path = notePath(port);
  try {
    writeFileSync(path, JSON.stringify({ pid: process.pid, folder } satisfies Note), { mode: 0o600 });
  } catch {
    return () => {};
  }
  return () => rmSync(path, { force: true });
}

export function portInUse(port: number): AikiError {
  const owner = readNote(port);
  const who = owner ? `\`aiki dev\` of ${homeless(owner.folder)} (pid ${owner.pid})` : "another program";
  const other = port + 10 <= 65_535 ? port + 10 : port - 10;
  return new AikiError(
    "PORT_IN_USE",
    `Port ${port} is used by ${who}. Stop it, or: aiki dev --port ${other} and AIKI_URL=http://localhost:${other} in this app.`,
    { details: { port, ...owner } },
  );
}

/** The note of a process that still lives. */
function readNote(port: number): Note | undefined {
  try {
    const note: unknown = JSON.parse(readFileSync(notePath(port), "utf8"));
    if (typeof note !== "object" || note === null || !("pid" in note) || !("folder" in note)) return undefined;
    const { pid, folder } = note;
    if (typeof pid !== "number" || typeof folder !== "string" || pid <= 0) return undefined;
    process.kill(pid, 0);
    return { pid, folder };
  } catch {
    return undefined;
  }
}

function notePath(port: number): string {
  return join(tmpdir(), `aiki-dev-${port}.json`);
}

function homeless(folder: string): string {
  const home = homedir();
  return folder === home || folder.startsWith(home + sep) ? `~${folder.slice(home.length)}` : folder;
}
