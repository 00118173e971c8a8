import { AikiError } from "@aikirun/protocol/canonical";

/** Standard Schema, version 1 (https://standardschema.dev): the part of it that Aiki calls. */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<SchemaIssue> };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** Issues that a message shows; the rest is counted. */
const ISSUES_SHOWN = 5;

/**
 * The schema's output for a value; the value itself without a schema. A promise only when the schema gives one. Throws,
 * or rejects with, `SCHEMA_INVALID`. `what` begins the message: "The input of x".
 */
export function check(schema: StandardSchemaV1 | undefined, value: unknown, what: string): unknown {
  if (!schema) return value;
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((later) => outputOf(later, what)) : outputOf(result, what);
}

function outputOf(result: SchemaResult<unknown>, what: string): unknown {
  if (!result.issues) return result.value;
  const shown = result.issues.slice(0, ISSUES_SHOWN).map(describeIssue);
  const more = result.issues.length - shown.length;
  throw new AikiError(
    "SCHEMA_INVALID",
    `${what} does not match its schema: ${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}.`,
    { details: { issues: shown } },
  );
}

function describeIssue(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
  return path.length > 0 ? `${path.join(".")}: ${issue.message}` : issue.message;
}
