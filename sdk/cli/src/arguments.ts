/** Readers of command-line values. Each throws commander's own error, which becomes exit code 2. */
import { readFileSync } from "node:fs";
import type { JsonValue } from "@aikirun/protocol/canonical";
import { InvalidArgumentError } from "commander";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `1500ms`, `60s`, `5m`, `1h`, `30d`. */
export function durationMs(text: string): number {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new InvalidArgumentError("Expected a number and a unit: 1500ms, 60s, 5m, 1h or 30d.");
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

/** A whole number within bounds, both included. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** A date and time, or how long ago: `2026-11-22`, `2026-11-22T08:30:00Z`, `2h`. */
export function instant(text: string): number {
  if (/^\d+(ms|s|m|h|d)$/.test(text)) return Date.now() - durationMs(text);
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new InvalidArgumentError("Expected a date such as 2026-11-22T08:30:00Z, or an age such as 2h.");
  return at;
}

/** `WORKFLOW` or `WORKFLOW@VERSION`. A version holds no `@`, a name may. */
export function workflowAt(text: string): { readonly workflow: string; readonly version: string | undefined } {
  const at = text.lastIndexOf("@");
  if (at <= 0) return { workflow: text, version: undefined };
  return { workflow: text.slice(0, at), version: text.slice(at + 1) };
}

/** JSON as given, `@file`, or `-` for standard input. */
export function jsonInput(text: string): JsonValue {
  const source =
    text === "-" ? readText(0, "standard input") : text.startsWith("@") ? readText(text.slice(1), text) : text;
  try {
    return JSON.parse(source) as JsonValue;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(
      `This is not JSON (${reason}). Texts need double quotes; where the shell eats them, use @file or - for standard input.`,
    );
  }
}

function readText(from: string | 0, name: string): string {
  try {
    return readFileSync(from, "utf8");
  } catch (error) {
    throw new InvalidArgumentError(`Cannot read ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `name=value` or `name=env:VARIABLE`; may be given several times. */
export function header(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("Expected name=value or name=env:VARIABLE.");
  const name = text.slice(0, equals);
  const given = text.slice(equals + 1);
  if (!given.startsWith("env:")) return { ...before, [name]: given };
  const value = process.env[given.slice(4)];
  if (!value) throw new InvalidArgumentError(`The environment variable ${given.slice(4)} is not set.`);
  return { ...before, [name]: value };
}

/** Gathers a flag that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
