/** The workflow versions that one endpoint serves, and how it describes them. */
import {
  AikiError,
  type JsonValue,
  jsonTextDepth,
  LIMITS,
  type Manifest,
  PROTOCOL_VERSION,
  sha256Hex,
} from "@aikirun/protocol";
import { type AnyVersion, durationMs, type StandardSchemaV1 } from "@aikirun/workflow";
import { Refusal } from "./refusal.js";
import { SDK_VERSION } from "./version.js";

export interface Registry {
  /** Throws the refusal `WORKFLOW_NOT_SERVED`. */
  get(name: string, versionId: string): AnyVersion;
  /** Of the version that this run is pinned to. */
  timeoutMs(run: { readonly workflow: string; readonly version: string }): number | undefined;
  readonly workflows: Manifest["workflows"];
}

/** Throws `DUPLICATE_WORKFLOW`: here and not where a version is defined, so that hot reload may define one again. */
export function registry(versions: readonly AnyVersion[]): Registry {
  if (versions.length > LIMITS.manifestWorkflows) {
    throw new AikiError("LIMIT_EXCEEDED", `One endpoint serves at most ${LIMITS.manifestWorkflows} workflow versions.`);
  }
  const byId = new Map<string, AnyVersion>();
  for (const version of versions) {
    if (version?.kind !== "workflow.version") {
      throw new AikiError("INVALID_ARGUMENT", "Serve versions, as workflow({ name }).v(id, { handler }) returns them.");
    }
    const id = `${version.name}@${version.versionId}`;
    if (byId.has(id)) {
      throw new AikiError(
        "DUPLICATE_WORKFLOW",
        `${id} is served twice in one list. Give one of them another version id.`,
      );
    }
    byId.set(id, version);
  }
  const workflows = [...byId.values()].map(describeVersion);
  return {
    get(name, versionId) {
      const id = `${name}@${versionId}`;
      const version = byId.get(id);
      if (version) return version;
      const served = [...byId.keys()].slice(0, 20).join(", ") || "nothing";
      throw new Refusal(
        404,
        "WORKFLOW_NOT_SERVED",
        `This app does not serve ${id}. Served: ${served}. Add it to serveAiki([...]) and deploy. The run waits.`,
      );
    },
    timeoutMs: ({ workflow, version }) =>
      workflows.find((one) => one.name === workflow && one.version === version)?.timeoutMs,
    workflows,
  };
}

function describeVersion({ name, versionId, definition }: AnyVersion): Manifest["workflows"][number] {
  const events = Object.entries(definition.events ?? {}).map(([event, { schema }]) => {
    const sent = schemaDocument(schema, "input");
    return { name: event, ...(sent && { schema: sent }) };
  });
  const input = schemaDocument(definition.schema?.input, "input");
  const output = schemaDocument(definition.schema?.output, "output");
  const { timeout } = definition;
  return {
    name,
    version: versionId,
    events,
    ...(timeout !== undefined && { timeoutMs: durationMs(timeout, `The timeout of ${name}@${versionId}`) }),
    ...(input && { input }),
    ...(output && { output }),
  };
}

/** Standard JSON Schema (https://standardschema.dev/json-schema): what some schema libraries offer beside validation. */
interface StandardJsonSchema {
  readonly jsonSchema?: { readonly [side in "input" | "output"]?: (options: object) => unknown };
}

/**
 * What a library cannot say in JSON Schema, such as a `Date`, it leaves open instead of giving up on all of it. Each knows
 * its own option and passes over the others': zod's, valibot's, ArkType's.
 */
const LEAVE_OPEN = {
  unrepresentable: "any",
  errorMode: "ignore",
  fallback: ({ base }: { base: unknown }) => base,
};

const SCHEMA_CHARS = 64 * 1024;

/** For people, forms and the orchestrator's first look at a value: whatever cannot be described is left out. */
function schemaDocument(
  schema: StandardSchemaV1 | undefined,
  side: "input" | "output",
): Record<string, JsonValue> | undefined {
  try {
    const standard = schema?.["~standard"] as StandardJsonSchema | undefined;
    const options = { target: "draft-2020-12", libraryOptions: LEAVE_OPEN };
    const text = JSON.stringify(standard?.jsonSchema?.[side]?.(options));
    if (text === undefined || text.length > SCHEMA_CHARS || jsonTextDepth(text) > LIMITS.jsonDepth) return undefined;
    return JSON.parse(text) as Record<string, JsonValue>;
  } catch {
    return undefined;
  }
}

export interface DescribedEndpoint {
  readonly manifest: Manifest;
  /** Changes when the manifest does. */
  readonly hash: string;
}

/** How this endpoint describes itself under given settings. `adapter` is the package that the user imported. */
export function manifests(
  adapter: string,
  { workflows }: Registry,
): (settings: { maxDurationMs: number; backgroundMs: number | undefined }) => DescribedEndpoint {
  const made = new Map<string, DescribedEndpoint>();
  return ({ maxDurationMs, backgroundMs }) => {
    const key = `${maxDurationMs}/${backgroundMs}`;
    let described = made.get(key);
    if (!described) {
      const manifest: Manifest = {
        protocol: { min: PROTOCOL_VERSION, max: PROTOCOL_VERSION },
        sdk: { name: adapter, version: SDK_VERSION },
        capabilities: {
          inlineCheckpoints: true,
          streaming: false,
          batch: false,
          maxDurationMs,
          ...(backgroundMs !== undefined && { backgroundMs }),
        },
        workflows: withinBound(workflows),
      };
      described = { manifest, hash: sha256Hex(JSON.stringify(manifest)) };
      made.set(key, described);
    }
    return described;
  };
}

/** Characters of a manifest's workflows beyond which their schemas, the only long part, are left out. */
const WORKFLOWS_CHARS = 512 * 1024;

function withinBound(workflows: Manifest["workflows"]): Manifest["workflows"] {
  if (JSON.stringify(workflows).length <= WORKFLOWS_CHARS) return workflows;
  return workflows.map(({ name, version, events, timeoutMs }) => ({
    name,
    version,
    ...(timeoutMs !== undefined && { timeoutMs }),
    events: events.map((event) => ({ name: event.name })),
  }));
}
