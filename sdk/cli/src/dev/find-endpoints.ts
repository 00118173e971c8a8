import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@aikirun/client";
import { Discovery } from "./discovery.js";
import type { EndpointReport } from "./endpoint-report.js";
import { onRescan } from "./keyboard.js";
import { registerNamed } from "./named.js";
import { hintedPorts, USUAL_PORTS } from "./ports.js";
import { loopbackPort } from "./register.js";

/** A first look that compiles a route may take long; who waits for the ready line should not. */
const FIRST_LOOK_MS = 2_000;

export interface FindOptions {
  readonly aiki: Client;
  readonly report: EndpointReport;
  /** Only these, when there are any. */
  readonly urls: readonly string[];
  /** Ports that are surely no app's. */
  readonly ownPorts: readonly number[];
  readonly signal: AbortSignal;
}

export interface Finding {
  /** URLs that are asked, or ports that are searched. */
  readonly searched: readonly string[] | readonly number[];
  /** Ends the reading of the keyboard; the signal ends the rest. */
  stop(): void;
}

/** Starts to look for endpoints. Resolves after the first look, or when it takes long. */
export async function findEndpoints({ aiki, report, urls, ownPorts, signal }: FindOptions): Promise<Finding> {
  if (urls.length > 0) {
    const named = () => registerNamed({ aiki, urls, report, signal });
    await soon(named(), signal);
    return { searched: urls, stop: onRescan(() => void named()) };
  }
  const ports = [...hintedPorts(process.cwd()), ...USUAL_PORTS].filter((port) => !ownPorts.includes(port));
  const known = (await aiki.listEndpoints()).map(({ url }) => url).filter((url) => loopbackPort(url) !== undefined);
  const discovery = new Discovery({ aiki, ports, known, report, signal });
  await soon(discovery.look(), signal);
  discovery.start();
  return { searched: ports, stop: onRescan(() => void discovery.rescan()) };
}

async function soon(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const timer = new AbortController();
  const late = pause(FIRST_LOOK_MS, undefined, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => {});
  await Promise.race([work, late]);
  timer.abort();
}
