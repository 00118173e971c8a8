/** `/v1/session`: how a browser signs in to the dashboard. */
import { type Session, sessionSchema, signInBodySchema } from "@aikirun/protocol";
import { type Caller, unauthorized } from "./keys.js";
import { type Route, route } from "./route.js";
import type { Services } from "./services.js";
import { endOfSession } from "./sessions.js";

export const sessionRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/session",
    scope: "public",
    summary: "Sign a browser in with an API key: the answer sets a cookie that no script can read.",
    body: signInBodySchema,
    answers: { 200: sessionSchema },
    async handle({ body, header, address }, { signIn, version }) {
      if (!signIn) return { status: 200, body: shown(NOBODY_ASKED, version) };
      const from = { address, forwardedFor: header("x-forwarded-for") };
      signIn.failures.check(from);
      const caller = await signIn.authenticate({ authorization: `Bearer ${body.apiKey}` });
      if (!caller?.keyHash) {
        signIn.failures.count(from);
        throw unauthorized(true);
      }
      const { keyHash, keyExpiresAt } = caller;
      const { expiresAt, cookie } = await signIn.sessions.begin(keyHash, keyExpiresAt, header("origin"));
      const session = shown({ ...caller, by: "cookie", sessionUntil: expiresAt }, version);
      return { status: 200, headers: { "set-cookie": cookie }, body: session };
    },
  }),
  route({
    method: "GET",
    path: "/v1/session",
    scope: "read",
    summary: "Who is asking: its namespace, its scope, and how it is known.",
    answers: { 200: sessionSchema },
    handle: async ({ caller }, { version }) => ({ status: 200, body: shown(caller, version) }),
  }),
  route({
    method: "DELETE",
    path: "/v1/session",
    scope: "public",
    summary: "Sign a browser out.",
    answers: { 204: "empty" },
    async handle() {
      const headers = new Headers({ "cache-control": "no-store" });
      for (const line of endOfSession()) headers.append("set-cookie", line);
      return new Response(null, { status: 204, headers });
    },
  }),
];

/** In `aiki dev` there is nothing to sign in to. */
const NOBODY_ASKED: Caller = { ns: "default", scope: "admin", everywhere: true, by: "nothing" };

function shown({ ns, scope, by, sessionUntil }: Caller, version: Services["version"]): Session {
  return { namespace: ns, scope, by, version, ...(sessionUntil !== undefined && { expiresAt: sessionUntil }) };
}
