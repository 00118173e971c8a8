/** One registered endpoint as this process uses it: its secret headers in clear, its route made, its slots counted. */
import type { StoredEndpoint } from "../store/port.js";
import type { Route } from "./delivery.js";
import type { Seal } from "./seal.js";
import type { PostTarget } from "./signed-post.js";
import { Slots } from "./slots.js";
import { Validators } from "./validators.js";

export interface LiveEndpoint {
  readonly stored: StoredEndpoint;
  readonly target: PostTarget;
  readonly route: Route;
  readonly slots: Pick<Slots, "limit" | "acquire" | "release">;
  readonly validators: Validators;
}

export type MakeSlots = (concurrency: number) => LiveEndpoint["slots"];

export async function revive(
  stored: StoredEndpoint,
  seal: Seal,
  before: LiveEndpoint | undefined,
  makeSlots: MakeSlots = (concurrency) => new Slots(concurrency),
): Promise<LiveEndpoint> {
  const unchanged = before?.stored.sealedHeaders === stored.sealedHeaders ? before : undefined;
  const headers = unchanged?.target.headers ?? (await openHeaders(stored, seal));
  const { url, contentType, signatureHeader } = stored;
  const slots = before?.stored.concurrency === stored.concurrency ? before.slots : makeSlots(stored.concurrency);
  return {
    stored,
    target: { url, contentType, signatureHeader, headers },
    route: {
      endpointId: stored.id,
      url,
      budgetMs: budgetOf(stored),
      get concurrency() {
        return slots.limit;
      },
    },
    slots,
    validators:
      before?.stored.manifestHash === stored.manifestHash ? before.validators : new Validators(stored.manifest),
  };
}

async function openHeaders({ ns, id, sealedHeaders }: StoredEndpoint, seal: Seal): Promise<Record<string, string>> {
  if (sealedHeaders === undefined) return {};
  return JSON.parse(await seal.open(sealedHeaders, headersPurpose(ns, id))) as Record<string, string>;
}

/** What the registration says, and never more than what the endpoint says of itself. */
export function budgetOf({ maxDurationMs, manifest }: Pick<StoredEndpoint, "maxDurationMs" | "manifest">): number {
  return Math.min(maxDurationMs ?? Number.POSITIVE_INFINITY, manifest.capabilities.maxDurationMs);
}

/** Binds the sealed headers to one endpoint of one namespace. */
export function headersPurpose(ns: string, endpointId: string): string {
  return `endpoint-headers:${ns}:${endpointId}`;
}
