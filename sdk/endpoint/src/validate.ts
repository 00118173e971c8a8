/** Says whether a value fits one of the schemas served here: the schema decides, its JSON Schema only describes it. */
import { AikiError, type ValidateAnswer, type ValidateRequest } from "@aikirun/protocol";
import { check } from "@aikirun/workflow/replay";
import type { Registry } from "./registry.js";

/** Throws the refusal `WORKFLOW_NOT_SERVED`. */
export async function validate(push: ValidateRequest, registry: Registry): Promise<ValidateAnswer> {
  const { pushId, workflow, version, event, value } = push;
  const { definition } = registry.get(workflow, version);
  const events = definition.events ?? {};
  const schema =
    event === undefined ? definition.schema?.input : Object.hasOwn(events, event) ? events[event]?.schema : undefined;
  try {
    await check(schema, value, event === undefined ? "The input" : "The data");
    return { pushId, fits: true };
  } catch (error) {
    return { pushId, fits: false, issues: issuesOf(error).map((issue) => issue.slice(0, ISSUE_CHARS)) };
  }
}

const ISSUE_CHARS = 1_000;

/** What a schema threw instead of answering is its answer too: a start in this app would be refused with it. */
function issuesOf(error: unknown): readonly string[] {
  if (error instanceof AikiError && error.code === "SCHEMA_INVALID") {
    return (error.details?.["issues"] ?? []) as readonly string[];
  }
  return [error instanceof Error ? `the schema threw ${error.name}: ${error.message}` : "the schema threw"];
}
