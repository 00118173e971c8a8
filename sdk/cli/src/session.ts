import { type Client, client } from "@aikirun/client";
import type { Command } from "commander";

export const DEFAULT_URL = "http://localhost:9850";

/** What one command works with: the orchestrator it talks to and the way it speaks to its user. */
export interface Session {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly aiki: Client;
  /** True with `--json`: standard output is for a machine. */
  readonly json: boolean;
  /** Prints `value` for a machine, or else what `text` makes for a person. */
  print(value: unknown, text: () => string): void;
}

interface GlobalFlags {
  readonly url?: string;
  readonly apiKey?: string;
  readonly json?: boolean;
}

export function session(command: Command): Session {
  const flags: GlobalFlags = command.optsWithGlobals();
  const url = (flags.url ?? process.env.AIKI_URL) || DEFAULT_URL;
  const apiKey = (flags.apiKey ?? process.env.AIKI_API_KEY) || undefined;
  const json = flags.json ?? false;
  return {
    url: url.replace(/\/+$/, ""),
    apiKey,
    aiki: client({ url, apiKey }),
    json,
    print: (value, text) => say(json ? JSON.stringify(value) : text()),
  };
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Beside the output: hints and warnings, which a pipe must not swallow. */
export function hint(line: string): void {
  process.stderr.write(`${line}\n`);
}
