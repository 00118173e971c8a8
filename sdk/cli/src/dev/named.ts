import { setTimeout as pause } from "node:timers/promises";

import { type Report, TIMING, type Timing } from "./discovery.js";
import { type Registrar, register } from "./register.js";

export interface NamedOptions {
  readonly aiki: Registrar;
  readonly urls: readonly string[];
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly timing?: Timing;
}

/**
 * Registers the URLs that a person named, each until it works: a failure is told, and tried again. Versions of an
 * endpoint that was not named are taken over.
 */
export async function registerNamed({ aiki, urls, report, signal, timing = TIMING }: NamedOptions): Promise<void> {
  const mayTakeFrom = async (owner: string) => !urls.includes(owner);
  await Promise.all(
    urls.map(async (url) => {
      for (let retryMs = timing.firstRetryMs; !signal.aborted; retryMs = Math.min(retryMs * 2, timing.lastRetryMs)) {
        const outcome = await register(aiki, url, mayTakeFrom);
        if (signal.aborted) return;
        if (outcome.type === "registered") return report.found(outcome.endpoint);
        report.warn(`${outcome.message}  (again in ${retryMs / 1_000} s)`);
        await pause(retryMs, undefined, { signal }).catch(() => {});
      }
    }),
  );
}
