import type { Endpoint } from "@aikirun/protocol";
import { say } from "../session.js";
import type { Report } from "./discovery.js";
import { warn } from "./log.js";
import { endpointLine } from "./ready-text.js";

/** Gathers what is found until the ready block shows it; afterwards prints a line for what is new or different. */
export class EndpointReport implements Report {
  readonly #lines = new Map<string, string>();
  readonly #early = new Map<string, Endpoint>();
  #ready = false;

  readonly found = (endpoint: Endpoint): void => {
    const line = endpointLine(endpoint);
    if (this.#lines.get(endpoint.id) === line) return;
    this.#lines.set(endpoint.id, line);
    if (this.#ready) say(line);
    else this.#early.set(endpoint.id, endpoint);
  };

  readonly warn = warn;

  /** What was found until now; from here on everything is printed. */
  ready(): Endpoint[] {
    this.#ready = true;
    return [...this.#early.values()];
  }
}
