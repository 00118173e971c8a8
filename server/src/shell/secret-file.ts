/** The secret of `aiki dev`, kept beside its data: what it encrypts lives and dies with that folder. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "./env.js";

const BYTES = 32;

/** Reads `<folder>/secret`, or makes it, readable by its owner only. Throws `SETTING_INVALID` when it is damaged. */
export async function readOrMakeSecret(folder: string): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(folder, "secret");
  await mkdir(folder, { recursive: true });
  const made = randomBytes(BYTES).toString("base64");
  await writeFile(path, `${made}\n`, { flag: "wx", mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const bytes = Buffer.from((await readFile(path, "utf8")).trim(), "base64");
  if (bytes.byteLength !== BYTES)
    throw invalid(path, "does not hold 32 bytes in base64; delete it together with the data");
  return new Uint8Array(bytes);
}
