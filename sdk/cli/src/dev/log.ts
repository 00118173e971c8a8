import type { Log, LogFields } from "@aikirun/server";
import pc from "picocolors";
import { hint } from "../session.js";
import { printable } from "../text.js";

/** The orchestrator's log as a developer reads it: only what wants attention. */
export function devLog(endpointChanged: (endpointId: string) => void): Log {
  return {
    info(message, fields = {}) {
      if (message === "endpoint changed" && typeof fields.endpoint === "string") endpointChanged(fields.endpoint);
    },
    warn: (message, fields) => warn(withFields(message, fields)),
    error: (message, fields) => hint(`${pc.red("✗")} ${withFields(message, fields)}`),
  };
}

export function warn(message: string): void {
  hint(`${pc.yellow("!")} ${printable(message)}`);
}

function withFields(message: string, { code, name, run, reason }: LogFields = {}): string {
  const about = [name, run].filter((part) => part !== undefined).join(" ");
  return printable([code, about && `${about}:`, message, reason].filter(Boolean).join(" "));
}
