import { AikiError } from "@aikirun/protocol";
import type { AnyVersion } from "@aikirun/workflow";

/** The versions that a test serves, by name. */
export class Versions {
  readonly #versions = new Map<string, AnyVersion>();

  /** Throws `DUPLICATE_WORKFLOW`, `INVALID_ARGUMENT`. */
  constructor(workflows: readonly AnyVersion[]) {
    for (const version of workflows) {
      if (version?.kind !== "workflow.version") {
        throw new AikiError("INVALID_ARGUMENT", "testAiki takes workflow versions: what workflow(…).v(…) gives.");
      }
      const name = `${version.name}@${version.versionId}`;
      if (this.#versions.has(name)) {
        throw new AikiError("DUPLICATE_WORKFLOW", `${name} was given to testAiki twice. Remove one.`);
      }
      this.#versions.set(name, version);
    }
  }

  get(workflow: string, version: string): AnyVersion | undefined {
    return this.#versions.get(`${workflow}@${version}`);
  }
}
