import Table from "cli-table3";
import pc from "picocolors";
import { printable } from "./text.js";

export interface Column {
  readonly head: string;
  /** Colours a cell after its text was made safe to print. */
  readonly paint?: (text: string) => string;
}

const NO_BORDERS = Object.fromEntries(
  ["top", "bottom"]
    .flatMap((edge) => [edge, `${edge}-mid`, `${edge}-left`, `${edge}-right`])
    .concat("left", "left-mid", "mid", "mid-mid", "right", "right-mid")
    .map((part) => [part, ""]),
);

/** Columns under dim headings. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: columns.map((column) => pc.dim(column.head)),
    chars: { ...NO_BORDERS, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) {
    made.push(row.map((cell, index) => (columns[index]?.paint ?? String)(printable(cell))));
  }
  const lines = made.toString().split("\n");
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** `name  value` lines, the names in a column of their own. */
export function pairs(entries: readonly (readonly [name: string, value: string | undefined])[]): string {
  const shown = entries.filter((entry) => entry[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${pc.dim(name.padEnd(width))}  ${value}`).join("\n");
}

export function paintStatus(status: string): string {
  const word = status.trim();
  if (word === "completed" || word === "healthy") return pc.green(status);
  if (word === "failed" || word === "stalled" || word === "unhealthy") return pc.red(status);
  if (word === "cancelled" || word === "paused" || word === "draining") return pc.yellow(status);
  return pc.cyan(status);
}
