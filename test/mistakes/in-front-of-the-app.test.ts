/** What answers instead of Aiki's code when a URL is registered. */
import { getRequestListener } from "@hono/node-server";
import { expect, test } from "vitest";
import { aiki as run } from "../../sdk/cli/test/aiki.js";
import { app, hello, listen, orchestrator } from "./stage.js";

const TO_LOGIN = "something in front of Aiki's code asks for a login.";

test.each([
  {
    mistake: "deployment protection",
    code: "PROTECTED_BY_HOST",
    status: 401,
    headers: { "content-type": "text/html" },
    text: (url: string) =>
      `${url} answered 401 with a web page before Aiki's code ran: deployment protection is on. Register again with --header x-vercel-protection-bypass=env:VERCEL_AUTOMATION_BYPASS_SECRET, or use the production domain.`,
  },
  {
    mistake: "an API gateway that wants its own key",
    code: "PROTECTED_BY_HOST",
    status: 403,
    headers: { "content-type": "application/json" },
    text: (url: string) =>
      `${url} answered 403 without Aiki-Protocol: ${TO_LOGIN} Exempt /api/aiki from it, or register again with --header NAME=env:VAR.`,
  },
  {
    mistake: "a route that is not deployed there",
    code: "NOT_AN_ENDPOINT",
    status: 404,
    headers: {},
    text: (url: string) =>
      `${url} answered 404 without Aiki-Protocol. Is the route deployed at this path? In Next it is app/api/aiki/route.ts exporting { GET, POST }.`,
  },
  {
    mistake: "a route that exports GET alone",
    code: "NOT_AN_ENDPOINT",
    status: 405,
    headers: { allow: "GET" },
    text: (url: string) =>
      `${url} answered 405 without Aiki-Protocol: the route exports GET but not POST. In Next: export const { GET, POST } = serveAiki([...]).`,
  },
  {
    mistake: "a framework that adds a slash",
    code: "REDIRECT",
    status: 308,
    headers: { location: "/api/aiki/" },
    text: (url: string) => `${url} redirects (308) to ${url}/. Pushes never follow redirects. Register that URL.`,
  },
  {
    mistake: "a sign-in page for everybody",
    code: "REDIRECT",
    status: 307,
    headers: { location: "/sign-in?next=%2Fapi%2Faiki" },
    text: (url: string) =>
      `${url} redirects (307) to /sign-in: exempt /api/aiki from your auth middleware. Pushes never follow redirects.`,
  },
  {
    mistake: "single sign-on elsewhere",
    code: "REDIRECT",
    status: 302,
    headers: { location: "https://login.example.com/?secret=1" },
    text: (url: string) =>
      `${url} redirects (302) to another host. Pushes never follow redirects. Register the URL that answers itself.`,
  },
])("$code: $mistake ($status)", async ({ code, status, headers, text }) => {
  const { aiki } = await orchestrator();
  const origin = await listen((request, response) => {
    request.resume();
    response.writeHead(status, headers).end("<!doctype html>");
  });
  const url = `${origin}/api/aiki`;
  const registered = await aiki("endpoints", "register", url);
  expect(registered).toEqual({ code: 1, stdout: "", stderr: `${code} ${text(url)}\n` });
});

test("PROTECTED_BY_HOST: with the header that its text names, pushes come through", async () => {
  const { url: AIKI_URL } = await orchestrator();
  const { url: inside } = await app([hello], { AIKI_URL });
  const origin = await listen(
    getRequestListener(async (request) => {
      if (request.headers.get("x-vercel-protection-bypass") !== "let-me-in") {
        return new Response("<!doctype html>", { status: 401, headers: { "content-type": "text/html" } });
      }
      const headers = new Headers(request.headers);
      headers.set("x-forwarded-host", headers.get("host") ?? "");
      headers.delete("content-length");
      return fetch(inside, { method: request.method, headers, body: await request.arrayBuffer() });
    }),
  );
  const header = "x-vercel-protection-bypass=env:VERCEL_AUTOMATION_BYPASS_SECRET";
  const registered = await run(["endpoints", "register", `${origin}/api/aiki`, "--header", header], {
    env: { AIKI_URL, VERCEL_AUTOMATION_BYPASS_SECRET: "let-me-in" },
  });
  expect(registered).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringContaining("serves        hello@1.0.0"),
  });
});
