/**
 * What every adapter must do, over real HTTP. An adapter's test brings a launcher: an app that serves `probes` at a
 * path below `/api/`, trusting the given keys, with nothing else configured.
 */

import { manifestSchema } from "@aikirun/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CORPUS } from "./corpus.js";
import {
  describePush,
  executePush,
  type SigningKey,
  send,
  sendAlone,
  sendAndLeave,
  signedPush,
  signingKey,
} from "./orchestrator.js";
import type { Counts } from "./probes.js";

export interface LaunchSettings {
  /** For `AIKI_PUBLIC_KEYS`. */
  readonly publicKeys: string;
}

export interface Launched {
  readonly url: string;
  /** What `probes` have counted in the app's process. */
  counts(): Promise<Counts>;
  close(): Promise<void>;
}

export interface Framework {
  readonly name: string;
  /** The package that the manifest names. */
  readonly adapter: string;
  launch(settings: LaunchSettings): Promise<Launched>;
  /** What the framework does itself, before the adapter is asked; each with its reason. */
  readonly differs?: {
    readonly methods?: string;
    /** Then bodies near the limit of a push never come to the adapter. */
    readonly largeBody?: string;
    /** Then a caller resets its connection when it goes, and does not only close it. */
    readonly leaving?: string;
    /** Vectors that the framework decides, by name. */
    readonly vectors?: Readonly<Record<string, string>>;
  };
  /** Whether names of workflows may be shown, as in development. */
  readonly production?: boolean;
}

export function conformance(framework: Framework): void {
  describe(`${framework.name}: conformance`, () => {
    let app: Launched;
    let ed: SigningKey;
    let es: SigningKey;
    let stranger: SigningKey;
    beforeAll(async () => {
      [ed, es, stranger] = await Promise.all([signingKey("Ed25519"), signingKey("ES256"), signingKey("Ed25519")]);
      app = await framework.launch({ publicKeys: `${ed.text}, ${es.text}` });
    }, 180_000);
    afterAll(async () => await app?.close());

    it("executes a push and echoes what it answers", async () => {
      const before = await app.counts();
      const push = executePush();
      const { response, json } = await send(app.url, await signedPush(ed, app.url, push));
      expect(json).toMatchObject({
        pushId: push.pushId,
        runId: (push.run as { id: string }).id,
        epoch: 1,
        gen: 3,
        seq: 7,
        state: "waiting",
      });
      expect(json?.commands).toEqual([{ type: "run.completed", output: "Hello, Ada" }]);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(response.headers.get("aiki-protocol")).toBe("1");
      expect(response.headers.get("aiki-manifest")).toMatch(/^[0-9a-f]{64}$/);
      expect(response.headers.get("cache-control")).toBe("no-store, no-transform");
      expect(response.headers.get("x-accel-buffering")).toBe("no");
      expect((await app.counts()).executions).toBe(before.executions + 1);
    });

    it("sends white space while a task takes long, and then the answer", async () => {
      const { id, workflow: _, input: __, ...run } = executePush().run as Record<string, unknown>;
      const push = executePush({ run: { ...run, id, workflow: "patient" }, budgetMs: 13_500 });
      const { headers, body } = await signedPush(ed, app.url, push);
      const response = await fetch(app.url, { method: "POST", headers, body: body as BodyInit });
      const parts: string[] = [];
      for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) parts.push(part);
      expect(response.status).toBe(200);
      expect(response.headers.get("aiki-manifest")).toMatch(/^[0-9a-f]{64}$/);
      expect(parts[0]).toBe(" ");
      expect(JSON.parse(parts.join(""))).toMatchObject({
        state: "more",
        commands: [{ error: { code: "OUT_OF_TIME" } }],
      });
    }, 60_000);

    it("describes itself and echoes the nonce", async () => {
      const push = describePush();
      const { json } = await send(app.url, await signedPush(ed, app.url, push));
      expect(json).toMatchObject({ nonce: push.nonce, pushId: push.pushId });
      const manifest = manifestSchema.parse(json?.manifest);
      expect(manifest.sdk.name).toBe(framework.adapter);
      expect(manifest.workflows.map(({ name, version }) => `${name}@${version}`)).toEqual([
        "hello@1.0.0",
        "patient@1.0.0",
      ]);
    });

    it("replays without running anything new", async () => {
      const { pushId, run, history } = executePush();
      const push = { type: "replay" as const, pushId, run, history: { records: (history as { records: [] }).records } };
      const { json } = await send(app.url, await signedPush(ed, app.url, push));
      expect(json).toEqual({ fits: true });
    });

    it("greets a person", async () => {
      const response = await fetch(app.url);
      expect(response.status).toBe(200);
      expect(response.headers.get("aiki-protocol")).toBe("1");
      const body = (await response.json()) as Record<string, unknown>;
      expect(body).toMatchObject({ aiki: "endpoint", sdk: { name: framework.adapter }, workflows: 2 });
      expect(body.served).toEqual(framework.production ? undefined : ["hello@1.0.0", "patient@1.0.0"]);
    });

    it("answers HEAD without a body", async () => {
      const response = await fetch(app.url, { method: "HEAD" });
      expect([response.status, response.headers.get("aiki-protocol"), await response.text()]).toEqual([200, "1", ""]);
    });

    it(`answers 405 to other methods${framework.differs?.methods ? ` (${framework.differs.methods})` : ""}`, async () => {
      for (const method of ["PUT", "PATCH", "DELETE"]) {
        const response = await fetch(app.url, { method, body: "{}" });
        expect(response.status).toBe(405);
        if (!framework.differs?.methods) expect(response.headers.get("allow")).toBe("GET, HEAD, POST");
      }
    });

    it("believes the host that a proxy forwards", async () => {
      const url = `https://app.example.com${new URL(app.url).pathname}`;
      const sent = await signedPush(ed, url, executePush());
      const forwarded = { "x-forwarded-host": "app.example.com", "x-forwarded-proto": "https" };
      const { response } = await send(app.url, { ...sent, headers: { ...sent.headers, ...forwarded } });
      expect(response.status).toBe(200);
      const { json } = await send(app.url, sent);
      expect(json?.error).toMatchObject({ code: "AUDIENCE_MISMATCH" });
      expect(json?.error?.message).toContain(`Registered as ${url}, but this app sees itself as ${app.url}.`);
    });

    it("says which version is not served", async () => {
      const { response, json } = await send(
        app.url,
        await signedPush(ed, app.url, executePush({}, { version: "9.9.9" })),
      );
      expect([response.status, json?.error?.code]).toEqual([404, "WORKFLOW_NOT_SERVED"]);
      expect(json?.error?.message).toContain("hello@9.9.9");
    });

    it(`refuses what it must of ${CORPUS.length} pushes, and runs no user code for those`, {
      timeout: 60_000,
    }, async () => {
      const wrong: string[] = [];
      let accepted = 0;
      const before = await app.counts();
      for (const { name, refused, make } of CORPUS) {
        if (framework.differs?.vectors?.[name]) continue;
        const { response, json } = await send(app.url, await make({ url: app.url, ed, es, stranger }));
        const got = `${response.status} ${json?.error?.code ?? "accepted"}`;
        const expected = refused ? refused.join(" ") : "200 accepted";
        if (!refused) accepted++;
        if (got !== expected) wrong.push(`${name}: ${got}, expected ${expected}`);
        if (refused?.[1] === "UNAUTHENTICATED_PUSH") {
          expect(json).toEqual({
            error: { code: "UNAUTHENTICATED_PUSH", message: "This push was not accepted. The app's log says why." },
          });
        }
      }
      expect(wrong).toEqual([]);
      expect((await app.counts()).executions).toBe(before.executions + accepted);
    });

    const { leaving } = framework.differs ?? {};
    it(`aborts tasks when the caller goes away${leaving ? ` (${leaving})` : ""}`, async () => {
      const push = executePush({}, { workflow: "patient", input: undefined });
      const { headers, body } = await signedPush(ed, app.url, push);
      const before = await app.counts();
      const leave = sendAndLeave(app.url, headers, body as string);
      await expect.poll(async () => (await app.counts()).rests, { timeout: 5_000 }).toBe(before.rests + 1);
      leave(leaving ? "reset" : "close");
      await expect.poll(async () => (await app.counts()).aborts, { timeout: 5_000 }).toBe(before.aborts + 1);
    });

    if (framework.differs?.largeBody) return;
    it("takes a push of 3 MB", async () => {
      const push = executePush({}, { input: { name: "Ada", padding: "x".repeat(3_000_000) } });
      const { headers, body } = await signedPush(ed, app.url, push);
      const { status, text } = await sendAlone(
        app.url,
        { ...headers, "content-length": String(body.length) },
        body as string,
      );
      expect(status).toBe(200);
      expect(text).toContain('"commands":[{"type":"run.completed","output":"Hello, Ada"}]');
    });

    it("answers 413 to a push of more than 4 MiB, announced or not", async () => {
      const push = executePush({}, { input: { name: "Ada", padding: "x".repeat(4_300_000) } });
      const { headers, body } = await signedPush(ed, app.url, push);
      const announced = { ...headers, "content-length": String(body.length) };
      for (const sent of [announced, { ...headers, "transfer-encoding": "chunked" }]) {
        const { status, text } = await sendAlone(app.url, sent, body as string);
        expect(status).toBe(413);
        expect(text).toContain('"BODY_TOO_LARGE"');
      }
    });
  });
}
