/** The OpenAPI 3.1 document, made from the routes and the schemas that the server itself checks with. */
import {
  apiErrorSchema,
  apiKeySchema,
  endpointSchema,
  recordSchema,
  runPushSchema,
  runSchema,
  runSummarySchema,
  scheduleSchema,
  scheduleSummarySchema,
  sessionSchema,
  statsPointSchema,
  wireErrorSchema,
} from "@aikirun/protocol";
import * as z from "zod";
import type { Route } from "./route.js";

type Json = Record<string, unknown>;

/** What gets a name of its own under `components`. */
const NAMES = z
  .registry<{ id: string }>()
  .add(wireErrorSchema, { id: "WireError" })
  .add(apiErrorSchema, { id: "Error" })
  .add(runSummarySchema, { id: "RunSummary" })
  .add(runSchema, { id: "Run" })
  .add(recordSchema, { id: "Record" })
  .add(runPushSchema, { id: "Push" })
  .add(statsPointSchema, { id: "StatsPoint" })
  .add(sessionSchema, { id: "Session" })
  .add(scheduleSummarySchema, { id: "ScheduleSummary" })
  .add(scheduleSchema, { id: "Schedule" })
  .add(endpointSchema, { id: "Endpoint" })
  .add(apiKeySchema, { id: "ApiKey" });

export function openApiDocument(routes: readonly Route[], version: string): Json {
  const schemas: Json = {};
  const schemaOf: SchemaOf = (schema, io) => {
    const { $schema: _, $defs, ...document } = translate(schema, io);
    Object.assign(schemas, $defs);
    return document;
  };
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schemaOf) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Aiki", version, description: "The orchestrator's HTTP API, version 1." },
    paths,
    components: {
      schemas,
      securitySchemes: {
        apiKey: { type: "http", scheme: "bearer", description: "An API key, aiki_…" },
        checkpointToken: { type: "http", scheme: "bearer", description: "The token that came with the push" },
      },
    },
  };
}

type SchemaOf = (schema: z.ZodType, io: "input" | "output") => Json;

function operation(route: Route, schemaOf: SchemaOf): Json {
  const parameters = [...parametersOf(route.params, "path", schemaOf), ...parametersOf(route.query, "query", schemaOf)];
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...securityOf(route),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && {
      requestBody: { content: { "application/json": { schema: schemaOf(route.body, "input") } } },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, answer]) => [status, response(answer, schemaOf)]),
      ),
      default: {
        description: "An error",
        content: { "application/json": { schema: schemaOf(apiErrorSchema, "output") } },
      },
    },
  };
}

function securityOf({ scope }: Route): Json {
  if (scope === "public") return {};
  if (scope === "checkpoint") return { security: [{ checkpointToken: [] }] };
  return { security: [{ apiKey: [] }], "x-aiki-scope": scope };
}

function response(answer: Route["answers"][number], schemaOf: SchemaOf): Json {
  if (answer === "empty") return { description: "Done" };
  if (answer === "text") return { description: "Text", content: { "text/plain": {} } };
  if (answer === "events") return { description: "Server-sent events", content: { "text/event-stream": {} } };
  return { description: "OK", content: { "application/json": { schema: schemaOf(answer, "output") } } };
}

function parametersOf(schema: z.ZodType | undefined, place: "path" | "query", schemaOf: SchemaOf): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaOf(schema, "output") as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}

/** `unrepresentable: any`: a payload is any JSON, which has no narrower schema. */
function translate(schema: z.ZodType, io: "input" | "output"): Json {
  const document = z.toJSONSchema(schema, { unrepresentable: "any", io, metadata: NAMES });
  return JSON.parse(JSON.stringify(document).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}

/** `GET /v1/runs/:id/history` is `getRunsIdHistory`. */
function operationId({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "" && word !== "v1");
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
