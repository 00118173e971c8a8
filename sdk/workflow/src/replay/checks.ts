import { check, type StandardSchemaV1 } from "../schema.js";

/**
 * The schema checks of one invocation. A handler that waits for an asynchronous one goes on from it by itself, so it is
 * neither at rest nor parked meanwhile, and the next recorded result is not shown before.
 */
export class Checks {
  readonly #onChange: () => void;
  readonly #waiting: (() => void)[] = [];
  #pending = 0;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** As `check`. */
  check(schema: StandardSchemaV1 | undefined, value: unknown, what: string): unknown {
    const checked = check(schema, value, what);
    if (!(checked instanceof Promise)) return checked;
    this.#pending++;
    const settled = (): void => {
      this.#pending--;
      this.#onChange();
      if (this.#pending === 0) this.release();
    };
    checked.then(settled, settled);
    this.#onChange();
    return checked;
  }

  get pending(): boolean {
    return this.#pending > 0;
  }

  /** While some are pending: resolves when none is any more, or on `release`. */
  idle(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets go whoever waits. */
  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
