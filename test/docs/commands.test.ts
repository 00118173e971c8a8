import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { program } from "../../sdk/cli/src/program.js";
import { readText, repositoryFiles } from "../repository/sources.js";

const pages = repositoryFiles().filter((path) => path.endsWith(".md") && !path.startsWith("docs/decisions/"));

/** Command lines of code blocks, and of code within a line, without what a shell does around them. */
function commandLines(page: string): string[] {
  const text = readText(page).replaceAll(/\\\n\s*/g, "");
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) => (block ?? "").split("\n"));
  const inline = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? "");
  return [...blocks, ...inline].flatMap(
    (line) => /(?:^|\s)(?:npx )?(?:--no-install )?aiki (?=[a-z])(.*)/.exec(` ${line}`)?.[1] ?? [],
  );
}

/** What of a command line the program does not know. */
function unknownIn(line: string): string | undefined {
  const words = (line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []).map((word) => word.replace(/[.,:;]$/, ""));
  const ends = words.findIndex((word) => /^(#|\||&&|<|>)/.test(word));
  const own = ends < 0 ? words : words.slice(0, ends);
  let command: Command = program();
  const known = new Set(["--help", "-h", "--version"]);
  const learn = () => {
    for (const { long, short } of command.options) for (const flag of [long, short]) if (flag) known.add(flag);
  };
  learn();
  for (const word of own) {
    if (word.startsWith("-")) {
      const [flag = ""] = word.split("=", 1);
      if (!known.has(flag)) return flag;
      continue;
    }
    const next = command.commands.find((child) => child.name() === word);
    if (next) {
      command = next;
      learn();
    } else if (command.commands.length > 0) return word;
  }
  return undefined;
}

describe("the documentation", () => {
  it.each(pages.filter((page) => commandLines(page).length > 0))(
    "%s names only commands and flags that there are",
    (page) => {
      const wrong = commandLines(page).flatMap((line) => {
        const unknown = unknownIn(line);
        return unknown === undefined ? [] : [`aiki ${line}: ${unknown}`];
      });
      expect(wrong).toEqual([]);
    },
  );

  it("is read by something that can tell", () => {
    expect(commandLines("docs/deploying.md").length).toBeGreaterThan(20);
    expect(unknownIn("runs list --status stalled --json")).toBeUndefined();
    expect(unknownIn("runs lst")).toBe("lst");
    expect(unknownIn("migrate --restord")).toBe("--restord");
  });
});
