/**
 * How an endpoint comes to be pushed to: its URL passes the policy, it answers a signed `describe`, and no other
 * endpoint serves one of its versions. Then the runs that waited for those versions become due.
 */
import {
  AikiError,
  type CheckEndpointBody,
  type CheckResult,
  type Endpoint,
  newId,
  PUSH_CONTENT_TYPE,
  type RegisterEndpointBody,
} from "@aikirun/protocol";
import { type EgressPolicy, judgeUrl } from "../egress/policy.js";
import type { Log } from "../log.js";
import type { Store, StoredEndpoint } from "../store/port.js";
import type { Check } from "./check.js";
import type { Describe, Described } from "./describe.js";
import { isHarmless } from "./findings.js";
import { budgetOf, headersPurpose } from "./live-endpoint.js";
import { shownUrl } from "./refusal.js";
import type { Endpoints } from "./registry.js";
import type { Seal } from "./seal.js";
import type { PostTarget } from "./signed-post.js";

export interface RegistrationOptions {
  readonly store: Pick<Store, "saveEndpoint" | "listEndpoints" | "removeEndpoint" | "wakeUnserved" | "markEndpoint">;
  readonly endpoints: Endpoints;
  readonly describe: Describe;
  readonly check: Check;
  readonly seal: Seal;
  readonly policy: EgressPolicy;
  /** Called after runs became due. */
  readonly woken: () => void;
  readonly log: Log;
  readonly now: () => number;
  /** Registrations and refreshes of one namespace per minute: each makes this server speak to somebody. */
  readonly perMinute: number;
  /** When each namespace registered lately. Several of one process may share it. */
  readonly recent?: Map<string, number[]>;
}

const DEFAULT_CONCURRENCY = 100;
const DEFAULT_SAMPLE = 400;
/** Checks of one process under way at once: each reads and sends hundreds of histories. */
const CHECKS_AT_ONCE = 4;
/** Findings that a refusal tells; `aiki check` tells all. */
const TOLD_FINDINGS = 3;
/** What only Aiki sets on a push. */
const OWN_HEADERS =
  /^(host|content-type|content-length|transfer-encoding|connection|accept-encoding|traceparent|aiki-.*)$/i;

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #recent: Map<string, number[]>;
  #checks = 0;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#recent = options.recent ?? new Map();
  }

  /** The same name again refreshes or moves the endpoint; what the body leaves out goes back to its default. */
  async register(
    ns: string,
    body: RegisterEndpointBody,
    signal: () => AbortSignal,
  ): Promise<{ endpoint: Endpoint; created: boolean }> {
    const reached = await this.#reach(ns, body);
    if (body.check) refuseToBreak(await this.#check(ns, reached, DEFAULT_SAMPLE, signal()));
    const { name, before, id, target, found } = reached;
    const { url, contentType, signatureHeader, headers } = target;
    const sealedHeaders =
      Object.keys(headers).length === 0
        ? undefined
        : await this.#options.seal.close(JSON.stringify(headers), headersPurpose(ns, id));
    const now = this.#options.now();
    const endpoint: StoredEndpoint = {
      ns,
      id,
      name,
      url,
      status: "healthy",
      headerNames: Object.keys(headers),
      sealedHeaders,
      ...found,
      maxDurationMs: body.maxDurationMs,
      concurrency: reached.concurrency,
      contentType,
      signatureHeader,
      createdAt: before?.createdAt ?? now,
      describedAt: now,
      trouble: undefined,
    };
    await this.#save(endpoint, body.takeOver ?? false);
    return { endpoint: await this.get(ns, id), created: before === undefined };
  }

  /** Replays runs in flight against the code at a URL. Changes nothing. */
  async check(ns: string, body: CheckEndpointBody, signal: AbortSignal): Promise<CheckResult> {
    return this.#check(ns, await this.#reach(ns, body), body.sample ?? DEFAULT_SAMPLE, signal);
  }

  /** Asks the endpoint again who it is. */
  async refresh(ns: string, id: string): Promise<Endpoint> {
    this.#bound(ns);
    await this.#options.endpoints.refresh();
    const live = this.#options.endpoints.get(id);
    if (!live || live.stored.ns !== ns) throw notFound(id);
    const now = this.#options.now();
    try {
      const found = await this.#describe(live.target, ns, id);
      await this.#save({ ...live.stored, ...found, status: "healthy", describedAt: now, trouble: undefined }, false);
    } catch (error) {
      if (error instanceof AikiError && error.code !== "VERSION_OWNED") {
        const trouble = { code: error.code, message: error.message, at: now };
        await this.#options.store.markEndpoint(ns, id, "unhealthy", trouble);
        await this.#options.endpoints.refresh();
      }
      throw error;
    }
    return this.get(ns, id);
  }

  /** No new push goes there; what is under way ends. Its runs wait for whoever serves their version next. */
  async remove(ns: string, id: string): Promise<void> {
    if (!(await this.#options.store.removeEndpoint(ns, id))) throw notFound(id);
    await this.#options.endpoints.refresh();
  }

  async list(ns: string): Promise<Endpoint[]> {
    return (await this.#options.store.listEndpoints(ns)).map(shown);
  }

  async get(ns: string, id: string): Promise<Endpoint> {
    const stored = (await this.#options.store.listEndpoints(ns)).find((endpoint) => endpoint.id === id);
    if (!stored) throw notFound(id);
    return { ...shown(stored), manifest: stored.manifest };
  }

  /** Asks who is at a URL that pushes may go to, and which endpoint it is or would be. */
  async #reach(ns: string, body: Omit<CheckEndpointBody, "sample">): Promise<Reached> {
    this.#bound(ns);
    const verdict = judgeUrl(body.url, this.#options.policy);
    if (!verdict.ok) throw new AikiError(verdict.code, verdict.message);
    const url = verdict.url.href;
    const signatureHeader = body.signatureHeader ?? "authorization";
    const headers = checkedHeaders(body.headers ?? {}, signatureHeader);
    const name = body.name ?? shownUrl(url).slice(0, 255);
    const before = (await this.#options.store.listEndpoints(ns)).find((endpoint) => endpoint.name === name);
    const id = before?.id ?? newId("ep");
    const target = { url, contentType: body.contentType ?? PUSH_CONTENT_TYPE, signatureHeader, headers };
    const found = await this.#describe(target, ns, id);
    return { name, before, id, target, found, concurrency: body.concurrency ?? DEFAULT_CONCURRENCY };
  }

  async #check(ns: string, reached: Reached, sample: number, signal: AbortSignal): Promise<CheckResult> {
    if (this.#checks >= CHECKS_AT_ONCE) {
      throw new AikiError("OVERLOADED", `${this.#checks} checks are under way. Try again when one has ended.`, {
        details: { retryAfterMs: 5_000 },
      });
    }
    const { target, found, before: replaces, concurrency } = reached;
    this.#checks++;
    try {
      return await this.#options.check(ns, { target, manifest: found.manifest, concurrency, replaces }, sample, signal);
    } finally {
      this.#checks--;
    }
  }

  async #describe(target: PostTarget, ns: string, id: string): Promise<Described> {
    const found = await this.#options.describe(target, ns, id, new AbortController().signal);
    if ("manifest" in found) return found;
    throw new AikiError(found.code, found.message, { details: { url: shownUrl(target.url) } });
  }

  async #save(endpoint: StoredEndpoint, takeOver: boolean): Promise<void> {
    const { ns, name } = endpoint;
    const outcome = await this.#options.store.saveEndpoint(endpoint, takeOver);
    if (outcome.type === "version_owned") {
      const { workflow, version, by, url } = outcome;
      throw new AikiError(
        "VERSION_OWNED",
        `${workflow}@${version} is served by ${by} (${shownUrl(url)}). Register with --name ${by} to move it, with --take-over to take its versions, or use a namespace of its own for a preview.`,
        { details: { workflow, version, by, url: shownUrl(url) } },
      );
    }
    await this.#options.endpoints.refresh();
    const versions = endpoint.manifest.workflows.map((workflow) => ({
      workflow: workflow.name,
      version: workflow.version,
    }));
    await this.#options.store.wakeUnserved(ns, versions);
    this.#options.woken();
    this.#options.log.info("endpoint registered", {
      endpoint: endpoint.id,
      name,
      namespace: ns,
      versions: versions.length,
    });
  }

  #bound(ns: string): void {
    const now = this.#options.now();
    const recent = (this.#recent.get(ns) ?? []).filter((at) => now - at < 60_000);
    this.#recent.set(ns, recent);
    if (recent.length >= this.#options.perMinute) {
      throw new AikiError(
        "OVERLOADED",
        `More than ${this.#options.perMinute} registrations of one namespace within a minute. Try again in a minute.`,
        { details: { retryAfterMs: 60_000 - (now - (recent[0] ?? now)) } },
      );
    }
    recent.push(now);
  }
}

/** An endpoint that has answered, before it is stored. */
interface Reached {
  readonly name: string;
  /** The endpoint of that name. */
  readonly before: Listed | undefined;
  readonly id: string;
  readonly target: PostTarget;
  readonly found: Described;
  readonly concurrency: number;
}

function refuseToBreak(result: CheckResult): void {
  if (result.ok) return;
  const findings = result.findings.filter((finding) => !isHarmless(finding));
  const told = findings.slice(0, TOLD_FINDINGS).map(({ message }) => message);
  if (findings.length > told.length) told.push(`And ${findings.length - told.length} more.`);
  throw new AikiError(
    "WOULD_DIVERGE",
    `${told.join(" ")} Nothing was registered. Serve the change as a new version, or register without the check.`,
    { details: { check: result } },
  );
}

function checkedHeaders(headers: Record<string, string>, signatureHeader: string): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (OWN_HEADERS.test(name) || name.toLowerCase() === signatureHeader) {
      const hint =
        name.toLowerCase() === "authorization" ? " Move the signature with signatureHeader aiki-signature." : "";
      throw new AikiError("INVALID_REQUEST", `headers: ${name} is set by Aiki itself.${hint}`);
    }
    // RFC 9110 section 5.5: visible characters, spaces and tabs; anything else could start another header.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new AikiError(
        "INVALID_REQUEST",
        `headers: the value of ${name} holds a character that no header may hold.`,
      );
    }
    checked[name.toLowerCase()] = value;
  }
  return checked;
}

type Listed = Awaited<ReturnType<Store["listEndpoints"]>>[number];

function shown(stored: Listed): Endpoint {
  const { backgroundMs } = stored.manifest.capabilities;
  return {
    id: stored.id,
    name: stored.name,
    url: shownUrl(stored.url),
    status: stored.status,
    workflows: stored.owns.map(({ workflow, version }) => ({ name: workflow, version })),
    sdk: `${stored.manifest.sdk.name} ${stored.manifest.sdk.version}`,
    maxDurationMs: budgetOf(stored),
    ...(backgroundMs !== undefined && { backgroundMs }),
    concurrency: stored.concurrency,
    headerNames: [...stored.headerNames],
    createdAt: stored.createdAt,
    describedAt: stored.describedAt,
    ...(stored.trouble && { trouble: stored.trouble }),
  };
}

function notFound(id: string): AikiError {
  return new AikiError("NOT_FOUND", `There is no endpoint ${id} in this namespace. aiki endpoints list shows them.`);
}
