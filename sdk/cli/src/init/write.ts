import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NewFile } from "./plan.js";

export type Written =
  | { readonly path: string; readonly outcome: "wrote" }
  /** The file was there, with this very text or with another. It was left alone. */
  | { readonly path: string; readonly outcome: "same" | "kept" };

/** Writes what is not there. Never changes a file that exists, not even when it appears at this moment. */
export function writeNew(root: string, file: NewFile): Written {
  const target = join(root, file.path);
  mkdirSync(dirname(target), { recursive: true });
  try {
    writeFileSync(target, file.text, { flag: "wx" });
    return { path: file.path, outcome: "wrote" };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return { path: file.path, outcome: readFileSync(target, "utf8") === file.text ? "same" : "kept" };
  }
}
