import type { Divergence } from "@aikirun/protocol";

/** Both sides of a divergence as sentences. */
export function divergenceText({ leftover, asked }: Divergence): string {
  const instead =
    asked.length === 0 ? "It would stop at its next new call." : `Asked for instead: ${asked.join(", ")}.`;
  return `Recorded but not asked for: ${leftover.join(", ") || "nothing"}. ${instead}`;
}
