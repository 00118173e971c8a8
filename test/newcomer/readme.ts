import { readText } from "../repository/sources.js";

/** The commands that README.md gives a newcomer under a name, one per line. */
export function readmeCommands(name: string): string[] {
  const block = new RegExp(`<!-- newcomer: ${name} -->\\n\`\`\`sh\\n(.+?)\\n\`\`\``, "s").exec(
    readText("README.md"),
  )?.[1];
  if (block === undefined) throw new Error(`README.md has no commands called ${name}.`);
  return block.split("\n").map((line) => line.replace(/\s+#.*$/, ""));
}
