/**
 * Asks endpoints who they are when a push gives reason to: their manifest changed, or something refused. Only a failed
 * signed `describe` marks an endpoint unhealthy, so that one firewall rule cannot stop every run. An unhealthy endpoint
 * is asked again, less and less often, until it answers.
 */
import type { Log } from "../log.js";
import type { Store, StoredEndpoint } from "../store/port.js";
import type { Describe, Described } from "./describe.js";
import type { LiveEndpoint } from "./live-endpoint.js";
import type { Doubt } from "./push.js";
import type { Refusal } from "./refusal.js";
import type { Endpoints } from "./registry.js";

export interface HealthOptions {
  readonly store: Pick<Store, "saveEndpoint" | "markEndpoint" | "wakeUnserved">;
  readonly endpoints: Endpoints;
  readonly describe: Describe;
  /** Called after runs became due. */
  readonly woken: () => void;
  readonly log: Log;
  readonly now: () => number;
  /** Longest pause between two questions to an unhealthy endpoint. */
  readonly probeMaxMs: number;
}

const PROBE_FIRST_MS = 500;
/** While a deployment rolls, old and new instances answer by turns: each difference is looked at once a second. */
const PAUSE_MS = 1_000;

interface Examination {
  running: boolean;
  failures: number;
  startedAt: number;
  /** A manifest that could not be adopted: not asked for again until it changes or a minute has passed. */
  rejectedAt: number | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const REJECTED_FOR_MS = 60_000;

export class Health {
  readonly #options: HealthOptions;
  readonly #examinations = new Map<string, Examination>();
  readonly #stop = new AbortController();

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Starts an examination unless one is under way or planned. */
  doubt(endpointId: string, reason: Doubt): void {
    const examination = this.#examinations.get(endpointId) ?? {
      running: false,
      failures: 0,
      startedAt: Number.NEGATIVE_INFINITY,
      rejectedAt: undefined,
      timer: undefined,
    };
    this.#examinations.set(endpointId, examination);
    if (examination.running || this.#stop.signal.aborted) return;
    if (examination.timer && reason === "refused") return;
    const { rejectedAt, startedAt } = examination;
    const now = this.#options.now();
    if (rejectedAt !== undefined && now - rejectedAt < REJECTED_FOR_MS) return;
    clearTimeout(examination.timer);
    this.#plan(endpointId, examination, Math.max(0, startedAt + PAUSE_MS - now));
  }

  /** What was found unhealthy, here or by another replica, is asked again. */
  watch(): void {
    for (const { stored } of this.#options.endpoints.all())
      if (stored.status === "unhealthy") this.doubt(stored.id, "refused");
  }

  stop(): void {
    this.#stop.abort();
    for (const { timer } of this.#examinations.values()) clearTimeout(timer);
  }

  #plan(endpointId: string, examination: Examination, delayMs: number): void {
    if (delayMs === 0) void this.#examine(endpointId, examination);
    else examination.timer = setTimeout(() => void this.#examine(endpointId, examination), delayMs);
  }

  async #examine(endpointId: string, examination: Examination): Promise<void> {
    examination.running = true;
    examination.startedAt = this.#options.now();
    examination.timer = undefined;
    try {
      const endpoint = this.#options.endpoints.get(endpointId);
      if (!endpoint) {
        this.#examinations.delete(endpointId);
        return;
      }
      const { ns } = endpoint.stored;
      const found = await this.#options.describe(endpoint.target, ns, endpointId, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      if ("manifest" in found) await this.#answered(endpoint, found, examination);
      else await this.#failed(endpoint, found, examination);
    } catch (error) {
      this.#options.log.warn("An endpoint's state could not be written.", {
        endpoint: endpointId,
        reason: error instanceof Error ? error.message : undefined,
      });
    } finally {
      examination.running = false;
    }
  }

  async #answered({ stored }: LiveEndpoint, found: Described, examination: Examination): Promise<void> {
    examination.failures = 0;
    examination.rejectedAt = undefined;
    const changed = found.manifestHash !== stored.manifestHash;
    if (!changed && stored.status === "healthy") return;
    const now = this.#options.now();
    const fresh: StoredEndpoint = { ...stored, ...found, status: "healthy", describedAt: now, trouble: undefined };
    const outcome = await this.#options.store.saveEndpoint(fresh, false);
    if (outcome.type === "version_owned") {
      examination.rejectedAt = now;
      const message = `Also lists ${outcome.workflow}@${outcome.version}, which ${outcome.by} serves. Register with --take-over, or serve it in one place.`;
      await this.#options.store.markEndpoint(stored.ns, stored.id, "healthy", {
        code: "VERSION_OWNED",
        message,
        at: now,
      });
      this.#options.log.warn(message, { endpoint: stored.id, namespace: stored.ns });
    } else {
      const versions = found.manifest.workflows.map(({ name, version }) => ({ workflow: name, version }));
      await this.#options.store.wakeUnserved(stored.ns, versions);
      this.#options.log.info(changed ? "endpoint changed" : "endpoint is back", {
        endpoint: stored.id,
        name: stored.name,
      });
    }
    await this.#options.endpoints.refresh();
    this.#options.woken();
  }

  async #failed({ stored }: LiveEndpoint, refusal: Refusal, examination: Examination): Promise<void> {
    const delayMs = Math.min(PROBE_FIRST_MS * 2 ** examination.failures++, this.#options.probeMaxMs);
    this.#plan(stored.id, examination, delayMs);
    if (stored.status === "unhealthy" && stored.trouble?.code === refusal.code) return;
    const trouble = { code: refusal.code, message: refusal.message, at: this.#options.now() };
    await this.#options.store.markEndpoint(stored.ns, stored.id, "unhealthy", trouble);
    this.#options.log.warn(refusal.message, { endpoint: stored.id, name: stored.name, code: refusal.code });
    await this.#options.endpoints.refresh();
  }
}
