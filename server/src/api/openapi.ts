/** The OpenAPI 3.1 document, made from the routes and the schemas that the server itself checks with. */
import { apiErrorSchema } from "@aikirun/protocol";
import { z } from "zod";
import type { Route } from "./route.js";

type Json = Record<string, unknown>;

export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Aiki", version, description: "The orchestrator's HTTP API, version 1." },
    paths,
    components: {
      schemas: { Error: schemaOf(apiErrorSchema, "output") },
      securitySchemes: { apiKey: { type: "http", scheme: "bearer", description: "An API key, aiki_…" } },
    },
  };
}

function operation(route: Route): Json {
  const parameters = [...parametersOf(route.params, "path"), ...parametersOf(route.query, "query")];
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.scope === "public" ? {} : { security: [{ apiKey: [] }], "x-aiki-scope": route.scope }),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && {
      requestBody: { content: { "application/json": { schema: schemaOf(route.body, "input") } } },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, answer]) => [status, response(answer)])),
      default: {
        description: "An error",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function response(answer: Route["answers"][number]): Json {
  if (answer === "empty") return { description: "Done" };
  if (answer === "text") return { description: "Text", content: { "text/plain": {} } };
  if (answer === "events") return { description: "Server-sent events", content: { "text/event-stream": {} } };
  return { description: "OK", content: { "application/json": { schema: schemaOf(answer, "output") } } };
}

function parametersOf(schema: z.ZodType | undefined, place: "path" | "query"): Json[] {
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
function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...document } = z.toJSONSchema(schema, { unrepresentable: "any", io });
  return document;
}

/** `GET /v1/runs/:id/history` is `getRunsIdHistory`. */
function operationId({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "" && word !== "v1");
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
