/**
 * The check of inputs and events before anything is stored, wherever they come from. The JSON Schemas of the manifest
 * let through what fits them, without a word to anybody. What does not seem to fit is shown to the endpoint, because a
 * JSON Schema can say less, or something else, than the schema that it was made of: one that trims, coerces or fills in.
 * When the endpoint does not answer, the JSON Schema decides. A version that nobody serves has no schema.
 */
import { AikiError, type JsonValue } from "@aikirun/protocol";
import { isMisfit, misfitText, type Verdict } from "../schema/validator.js";
import type { LiveEndpoint } from "./live-endpoint.js";
import type { Endpoints, ServedVersion } from "./registry.js";
import type { AskValidity } from "./validate.js";

export interface SchemasOptions {
  readonly endpoints: Pick<Endpoints, "serving" | "all">;
  readonly ask: AskValidity;
}

export class Schemas {
  readonly #options: SchemasOptions;

  constructor(options: SchemasOptions) {
    this.#options = options;
  }

  /** For every start, whatever it comes from. Throws `SCHEMA_INVALID`. */
  async checkInput(ns: string, version: ServedVersion, input: JsonValue | undefined): Promise<void> {
    const endpoint = this.#options.endpoints.serving(ns, version);
    const validator = endpoint?.validators.input(version);
    if (!endpoint || !validator) return;
    const issues = await this.#issues(
      endpoint,
      version,
      undefined,
      input,
      input === undefined || validator.judge(input),
    );
    if (issues) throw invalid(`The input of ${nameOf(version)}`, version, issues);
  }

  /** Whether any version of a namespace has a schema for events of this name: only then is a run's version needed. */
  coverEvent(ns: string, name: string): boolean {
    for (const { stored, validators } of this.#options.endpoints.all()) {
      if (stored.ns === ns && validators.coverEvent(name)) return true;
    }
    return false;
  }

  /** For every event, whatever it comes from. Throws `SCHEMA_INVALID`. */
  async checkEvent(ns: string, version: ServedVersion, name: string, data: JsonValue | undefined): Promise<void> {
    const endpoint = this.#options.endpoints.serving(ns, version);
    const validator = endpoint?.validators.event(version, name);
    if (!endpoint || !validator) return;
    const issues = await this.#issues(endpoint, version, name, data, data === undefined || validator.judge(data));
    if (issues) throw invalid(`The data of event ${name} of ${nameOf(version)}`, version, issues);
  }

  /** `verdict` true: there is no value. Whether there must be one no JSON Schema can say, so the endpoint alone does. */
  async #issues(
    endpoint: LiveEndpoint,
    { workflow, version }: ServedVersion,
    event: string | undefined,
    value: JsonValue | undefined,
    verdict: Verdict | true,
  ): Promise<readonly string[] | undefined> {
    const misfit = verdict !== true && isMisfit(verdict) ? verdict : undefined;
    if (verdict !== true && !misfit) return undefined;
    const answer = await this.#options.ask(endpoint, {
      workflow,
      version,
      ...(event !== undefined && { event }),
      ...(value !== undefined && { value }),
    });
    if (answer) return answer.fits ? undefined : answer.issues;
    return misfit && [misfitText(misfit)];
  }
}

function nameOf({ workflow, version }: ServedVersion): string {
  return `${workflow}@${version}`;
}

function invalid(what: string, version: ServedVersion, issues: readonly string[]): AikiError {
  return new AikiError(
    "SCHEMA_INVALID",
    `${what} does not match its schema: ${issues.join("; ")}. aiki workflows get ${nameOf(version)} shows what fits.`,
    { details: { issues } },
  );
}
