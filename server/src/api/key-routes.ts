/** `/v1/keys`: API keys, and the keys that sign pushes. */
import {
  AikiError,
  type ApiKey,
  apiKeySchema,
  createdKeySchema,
  createKeyBodySchema,
  keyIdSchema,
  keyListSchema,
} from "@aikirun/protocol";
import * as z from "zod";
import type { StoredKey } from "../store/port.js";
import { type Caller, newApiKey } from "./keys.js";
import { type Route, route } from "./route.js";

const signingKeysSchema = z.strictObject({
  keys: z.array(z.strictObject({ kid: z.string(), alg: z.string(), state: z.enum(["next", "current", "retired"]) })),
});

export const keyRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/keys",
    scope: "admin",
    summary: "Make an API key. Its secret is shown once.",
    body: createKeyBodySchema,
    answers: { 201: createdKeySchema },
    async handle({ body, caller }, { store, now }) {
      const ns = body.namespace ?? caller.ns;
      if (ns !== caller.ns && !caller.everywhere) {
        throw new AikiError("FORBIDDEN", `This key belongs to the namespace ${caller.ns} and makes keys only there.`);
      }
      const { id, secret, hash } = newApiKey();
      const createdAt = now();
      if (body.expiresAt !== undefined && body.expiresAt <= createdAt) {
        throw new AikiError("INVALID_REQUEST", "body: expiresAt: lies in the past.");
      }
      const { name, expiresAt, scope = "write" } = body;
      const key: StoredKey = { id, ns, name, scope, hash, createdAt, expiresAt, revokedAt: undefined };
      await store.createKey(key);
      return { status: 201, body: { key: shown(key), secret } };
    },
  }),
  route({
    method: "GET",
    path: "/v1/keys",
    scope: "admin",
    summary: "API keys without their secrets.",
    answers: { 200: keyListSchema },
    handle: async ({ caller }, { store }) => ({
      status: 200,
      body: { keys: (await store.listKeys(reach(caller))).map(shown) },
    }),
  }),
  route({
    method: "DELETE",
    path: "/v1/keys/:id",
    scope: "admin",
    summary: "Revoke an API key. Every replica refuses it within 30 seconds.",
    params: z.strictObject({ id: keyIdSchema }),
    answers: { 204: "empty" },
    async handle({ params: { id }, caller }, { store }) {
      if (await store.revokeKey(reach(caller), id)) return { status: 204 };
      throw new AikiError("NOT_FOUND", `There is no key ${id} in this namespace that could be revoked.`);
    },
  }),
  route({
    method: "POST",
    path: "/v1/signing-keys/rotate",
    scope: "admin",
    summary: "Publish the next signing key; called again ten minutes later, sign with it and retire the one before.",
    body: z.strictObject({ force: z.boolean().optional() }),
    answers: { 200: signingKeysSchema },
    async handle({ body, caller }, { signingKeys }) {
      if (!caller.everywhere) {
        throw new AikiError("FORBIDDEN", "All namespaces share the signing keys: rotate them with AIKI_ADMIN_KEY.");
      }
      const keys = (await signingKeys.rotate(body.force ?? false)).map(({ kid, alg, state }) => ({ kid, alg, state }));
      return { status: 200, body: { keys } };
    },
  }),
];

/** The bootstrap key sees the keys of every namespace. */
function reach(caller: Caller): string | undefined {
  return caller.everywhere ? undefined : caller.ns;
}

function shown({ id, name, ns, scope, createdAt, expiresAt, revokedAt }: StoredKey): ApiKey {
  return apiKeySchema.parse({
    id,
    namespace: ns,
    scope,
    createdAt,
    ...(name !== undefined && { name }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(revokedAt !== undefined && { revokedAt }),
  });
}
