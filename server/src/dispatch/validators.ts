/** The validators of one manifest, each made when it is first asked for and kept for as long as the manifest stands. */
import type { JsonValue, Manifest } from "@aikirun/protocol";
import { Validator } from "../schema/validator.js";
import type { ServedVersion } from "./registry.js";

type Described = Manifest["workflows"][number];

export class Validators {
  readonly #workflows: ReadonlyMap<string, Described>;
  readonly #coveredEvents: ReadonlySet<string>;
  readonly #made = new Map<JsonValue, Validator>();

  constructor({ workflows }: Manifest) {
    this.#workflows = new Map(workflows.map((one) => [`${one.name}@${one.version}`, one]));
    const events = workflows.flatMap((one) => one.events);
    this.#coveredEvents = new Set(events.filter((event) => event.schema).map((event) => event.name));
  }

  input(version: ServedVersion): Validator | undefined {
    return this.#validator(this.#find(version)?.input);
  }

  event(version: ServedVersion, name: string): Validator | undefined {
    return this.#validator(this.#find(version)?.events.find((event) => event.name === name)?.schema);
  }

  coverEvent(name: string): boolean {
    return this.#coveredEvents.has(name);
  }

  #find({ workflow, version }: ServedVersion): Described | undefined {
    return this.#workflows.get(`${workflow}@${version}`);
  }

  #validator(document: JsonValue | undefined): Validator | undefined {
    if (document === undefined) return undefined;
    const made = this.#made.get(document) ?? new Validator(document);
    this.#made.set(document, made);
    return made;
  }
}
