import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/workspaces.js";

/** The document that the project was created from stands beside the repository, not in it. */
const PLACES = [process.env["SOURCE_DOCUMENT"], join(root, "../shared/design/source-document.txt")];

export function sourceDocument(): string | undefined {
  const place = PLACES.find((path) => path !== undefined && existsSync(path));
  return place === undefined ? undefined : readFileSync(place, "utf8");
}

/**
 * The program in a text that exports a name, letter by letter: from its first import to the `});` that ends
 * the export's definition.
 */
export function programOf(text: string, exported: string): string {
  const lines = text.split("\n");
  const definition = lines.findIndex((line) => line.startsWith(`export const ${exported} = `));
  if (definition < 0) throw new Error(`The document has no program that exports ${exported}.`);
  let start = definition;
  for (let at = definition; at >= 0 && isCode(lines[at] ?? ""); at -= 1) {
    if (lines[at]?.startsWith("import ")) start = at;
  }
  const length = lines.slice(definition).indexOf("});");
  if (length < 0) throw new Error(`The program that exports ${exported} does not end.`);
  return `${lines.slice(start, definition + length + 1).join("\n")}\n`;
}

/** The program in a text that ends with this line, letter by letter, from the imports before it. */
export function programUntil(text: string, last: string): string {
  const lines = text.split("\n");
  const end = lines.indexOf(last);
  if (end < 0) throw new Error(`The document has no program that ends with ${last}`);
  let start = lines.slice(0, end).findLastIndex((line) => line.startsWith("import "));
  while (lines[start - 1]?.startsWith("import ")) start -= 1;
  return `${lines.slice(start, end + 1).join("\n")}\n`;
}

/** Prose starts with a word and a space; code here does not, but for its keywords. */
function isCode(line: string): boolean {
  return line === "" || /^(import|const|export|async)\b/.test(line) || !/^[A-Z][a-z]+ /.test(line);
}
