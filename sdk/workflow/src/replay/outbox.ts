import type { Command } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";

/** Bytes of an answer that are not commands. */
const ENVELOPE_BYTES = 4_096;

/** Commands that are not committed yet, in the order in which they came, within the bounds of one answer. */
export class Outbox {
  #commands: Command[] = [];
  #bytes = ENVELOPE_BYTES;
  #full = false;

  get commands(): Command[] {
    return this.#commands;
  }

  /** A command did not fit. None is taken after it, so that the order stays. */
  get full(): boolean {
    return this.#full;
  }

  put(command: Command): boolean {
    const bytes = commandBytes(command);
    if (this.#commands.length >= LIMITS.commands || this.#bytes + bytes > LIMITS.bodyBytes) this.#full = true;
    if (this.#full) return false;
    this.#bytes += bytes;
    this.#commands.push(command);
    return true;
  }

  /** Takes from the head of a list what fits. */
  take(commands: Command[]): void {
    const refused = commands.findIndex((command) => !this.put(command));
    commands.splice(0, refused < 0 ? commands.length : refused);
  }

  /** All that was put in is committed. */
  clear(): void {
    this.#commands = [];
    this.#bytes = ENVELOPE_BYTES;
    this.#full = false;
  }
}

/** An upper bound that is cheap for the many small commands. */
function commandBytes(command: Command): number {
  const text = JSON.stringify(command);
  return text.length * 3 < SMALL_BYTES ? text.length * 3 : new TextEncoder().encode(text).length;
}
const SMALL_BYTES = 8_192;
