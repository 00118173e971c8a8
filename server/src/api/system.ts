/** What other programs ask: keys for verifiers, health for load balancers, metrics for Prometheus, OpenAPI for people. */
import * as z from "zod";
import { toAikiError } from "./errors.js";
import { openApiDocument } from "./openapi.js";
import { type Route, route } from "./route.js";

const healthSchema = z.strictObject({
  status: z.string(),
  version: z.string(),
  self: z.strictObject({ pid: z.number().int(), folder: z.string() }).optional(),
});

/** Verifiers may keep keys this long, and the next key is published longer than that before it signs. */
const JWKS_MAX_AGE_S = 300;

export function systemRoutes(all: () => readonly Route[]): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/.well-known/jwks.json",
      scope: "public",
      summary: "The public keys that verify pushes (RFC 7517).",
      answers: { 200: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }) },
      handle: async (_call, { signingKeys }) => ({
        status: 200,
        headers: { "cache-control": `public, max-age=${JWKS_MAX_AGE_S}` },
        body: { keys: signingKeys.published().map((key) => key.jwk) },
      }),
    }),
    route({
      method: "GET",
      path: "/health",
      scope: "public",
      summary: "Whether this process runs.",
      answers: { 200: healthSchema },
      handle: async (_call, { version, self }) => ({
        status: 200,
        body: { status: "ok", version, ...(self && { self }) },
      }),
    }),
    route({
      method: "GET",
      path: "/ready",
      scope: "public",
      summary: "Whether this process can do its work: the database answers.",
      answers: { 200: healthSchema },
      async handle(_call, { store, version }) {
        await store.ping().catch((error) => {
          throw toAikiError(error);
        });
        return { status: 200, body: { status: "ready", version } };
      },
    }),
    route({
      method: "GET",
      path: "/metrics",
      scope: "read",
      summary: "Counters of this process, in Prometheus' text format.",
      answers: { 200: "text" },
      handle: async (_call, { metrics }) =>
        new Response(metrics.text(), { headers: { "content-type": "text/plain; version=0.0.4" } }),
    }),
    route({
      method: "GET",
      path: "/openapi.json",
      scope: "public",
      summary: "This API, as OpenAPI 3.1.",
      answers: { 200: z.record(z.string(), z.unknown()) },
      handle: async (_call, { version }) => ({ status: 200, body: openApiDocument(all(), version) }),
    }),
  ];
}
