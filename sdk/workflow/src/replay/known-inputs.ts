import type { HistoryRecord, JsonValue } from "@aikirun/protocol";
import { inputHash } from "@aikirun/protocol/canonical";

const MAX_VALUES = 1_000;
const MAX_TEXT_CHARS = 10_000;
const MAX_DEPTH = 2;

/**
 * The JSON texts of recorded inputs, by hash. History holds only the hashes, but most inputs are the run's own input, a
 * result, or a part of one of these. Looked for only when a person is to read them: "" is no input.
 */
export function knownInputs(
  runInput: JsonValue | undefined,
  records: readonly HistoryRecord[],
): (hash: string) => string | undefined {
  const texts = new Map<string, string>([[inputHash(null), ""]]);
  let left = MAX_VALUES;
  const add = (value: JsonValue | undefined, depth: number): void => {
    if (value === undefined || value === null || left-- <= 0) return;
    const text = JSON.stringify(value);
    if (text.length <= MAX_TEXT_CHARS) texts.set(inputHash(value), text);
    if (typeof value !== "object" || depth === MAX_DEPTH) return;
    for (const member of Object.values(value)) add(member, depth + 1);
  };
  add(runInput, 0);
  for (const { value } of records) {
    if ("output" in value) add(value.output, 0);
    if ("data" in value) add(value.data, 0);
  }
  return (hash) => texts.get(hash);
}
