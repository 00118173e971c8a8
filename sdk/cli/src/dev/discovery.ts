import type { Endpoint } from "@aikirun/protocol";
import { isListening } from "./listening.js";
import { probe } from "./probe.js";
import { loopbackPort, type Registrar, register } from "./register.js";

/** Where adapters are mounted by convention. */
export const USUAL_PATHS: readonly string[] = ["/api/aiki", "/aiki", "/.netlify/functions/aiki"];

export interface Report {
  readonly found: (endpoint: Endpoint) => void;
  readonly warn: (message: string) => void;
}

export interface Timing {
  /** Between two looks at every port. */
  readonly connectMs: number;
  /** After the first HTTP request to a port that had no endpoint; doubled each time. */
  readonly firstRetryMs: number;
  readonly lastRetryMs: number;
}

/** A wrong path costs a Next development server seconds of compiling: connections are cheap, requests are rare. */
export const TIMING: Timing = { connectMs: 1_000, firstRetryMs: 2_000, lastRetryMs: 30_000 };

interface Port {
  readonly port: number;
  readonly paths: readonly string[];
  open: boolean;
  state: "searching" | "found" | "owned";
  /** Earliest next HTTP request. */
  nextAt: number;
  retryMs: number;
  busy: boolean;
  /** The last complaint, so that it is told once. */
  said: string | undefined;
  /** An endpoint was found here, now or before. */
  known: boolean;
}

export interface DiscoveryOptions {
  readonly aiki: Registrar;
  readonly ports: readonly number[];
  /** URLs on this machine that an earlier session registered. */
  readonly known: readonly string[];
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly timing?: Timing;
}

/** Finds endpoints on this machine's ports and registers them. A found endpoint is never asked again. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #timing: Timing;
  readonly #ports: readonly Port[];

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
    const knownPorts = options.known.map(loopbackPort).filter((port) => port !== undefined);
    this.#ports = [...new Set([...knownPorts, ...options.ports])].map((port) => ({
      port,
      paths: pathsOf(port, options.known),
      open: false,
      state: "searching",
      nextAt: 0,
      retryMs: this.#timing.firstRetryMs,
      busy: false,
      said: undefined,
      known: knownPorts.includes(port),
    }));
  }

  /** One look at every port. Resolves when all that was begun has ended. */
  async look(): Promise<void> {
    await Promise.all(this.#ports.map((port) => this.#lookAt(port)));
  }

  /** Looks for as long as the signal is not aborted. */
  start(): void {
    const timer = setInterval(() => void this.look(), this.#timing.connectMs);
    this.#options.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Asks every open port again, those with an endpoint too. */
  rescan(): Promise<void> {
    for (const port of this.#ports) Object.assign(port, this.#fresh(), { state: "searching" });
    return this.look();
  }

  async #lookAt(port: Port): Promise<void> {
    if (port.busy) return;
    port.busy = true;
    try {
      const open = await isListening(port.port);
      // An app that was started again may serve something else.
      if (open && !port.open) Object.assign(port, this.#fresh(), { state: "searching" });
      port.open = open;
      if (open && port.state === "searching" && performance.now() >= port.nextAt) await this.#ask(port);
    } finally {
      port.busy = false;
    }
  }

  #fresh(): Pick<Port, "nextAt" | "retryMs" | "said"> {
    return { nextAt: 0, retryMs: this.#timing.firstRetryMs, said: undefined };
  }

  async #ask(port: Port): Promise<void> {
    const { signal, aiki, report } = this.#options;
    for (const path of port.paths) {
      const url = await this.#endpointUrl(port.port, path);
      if (url === undefined || signal.aborted) continue;
      const outcome = await register(aiki, url);
      if (signal.aborted) return;
      if (outcome.type === "registered") {
        port.state = "found";
        port.known = true;
        report.found(outcome.endpoint);
        if (outcome.insteadOf !== undefined) report.warn(`It serves instead of ${outcome.insteadOf}, which is gone.`);
        return;
      }
      if (outcome.type === "owned") port.state = "owned";
      if (outcome.message !== port.said) report.warn(outcome.message);
      port.said = outcome.message;
      break;
    }
    this.#later(port);
  }

  /** By name where that leads there: some servers refuse a Host that is an address. */
  async #endpointUrl(port: number, path: string): Promise<string | undefined> {
    for (const host of ["localhost", "[::1]"]) {
      const url = `http://${host}:${port}${path}`;
      const answer = await probe(url, this.#options.signal);
      if (answer !== "unreachable") return answer === "endpoint" ? url : undefined;
    }
    return undefined;
  }

  /** Once something was found, a silent port is left alone until it opens anew or a person asks. */
  #later(port: Port): void {
    const hopeless = !port.known && port.said === undefined && this.#ports.some((other) => other.state === "found");
    port.nextAt = hopeless ? Number.POSITIVE_INFINITY : performance.now() + port.retryMs;
    port.retryMs = Math.min(port.retryMs * 2, this.#timing.lastRetryMs);
  }
}

/** A path that worked before is asked first. */
function pathsOf(port: number, known: readonly string[]): string[] {
  const before = known.filter((url) => loopbackPort(url) === port).map((url) => new URL(url).pathname);
  return [...new Set([...before, ...USUAL_PATHS])];
}
