/**
 * Who serves which version, kept in memory: a push looks nothing up in the database. Read again every few seconds, and
 * at once after a change made here; what other replicas change is seen at the next reading.
 */
import type { RunFacts } from "../core/run.js";
import type { Log } from "../log.js";
import type { Registry, StoredEndpoint } from "../store/port.js";
import type { Route } from "./delivery.js";
import { type LiveEndpoint, type MakeSlots, revive } from "./live-endpoint.js";
import type { Seal } from "./seal.js";

type Listed = Awaited<ReturnType<Registry["listEndpoints"]>>;

export interface EndpointsOptions {
  readonly store: Pick<Registry, "listEndpoints">;
  readonly seal: Seal;
  readonly log: Log;
  readonly memory?: EndpointMemory;
  /** How the pushes to an endpoint are counted. */
  readonly makeSlots?: MakeSlots;
  /** Versions that nobody served when this process read last: their runs may be waiting. */
  readonly appeared?: (ns: string, versions: readonly ServedVersion[]) => void;
}

export interface ServedVersion {
  readonly workflow: string;
  readonly version: string;
}

/** What was read last. Several readers of one process may share it: it is plain data. */
export class EndpointMemory {
  byId: ReadonlyMap<string, LiveEndpoint> = new Map();
  byVersion: ReadonlyMap<string, LiveEndpoint> = new Map();
  /** Time limits of versions that have one. */
  timeouts: ReadonlyMap<string, number> = new Map();
  readAt = Number.NEGATIVE_INFINITY;
}

/** A version that is unknown here may have been registered at another replica a moment ago. */
const LOOK_AGAIN_MS = 500;

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #memory: EndpointMemory;
  #reading: Promise<void> | undefined;
  #again = false;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#memory = options.memory ?? new EndpointMemory();
  }

  route({ ns, workflow, version }: Pick<RunFacts, "ns" | "workflow" | "version">): Route | undefined {
    const route = this.#memory.byVersion.get(versionKey(ns, workflow, version))?.route;
    if (!route && performance.now() - this.#memory.readAt > LOOK_AGAIN_MS) void this.refresh().catch(() => {});
    return route;
  }

  /** As far as is known here: what another replica changed a moment ago may not be. */
  serving(ns: string, { workflow, version }: ServedVersion): LiveEndpoint | undefined {
    return this.#memory.byVersion.get(versionKey(ns, workflow, version));
  }

  versionTimeoutMs({ ns, workflow, version }: Pick<RunFacts, "ns" | "workflow" | "version">): number | undefined {
    return this.#memory.timeouts.get(versionKey(ns, workflow, version));
  }

  get(endpointId: string): LiveEndpoint | undefined {
    return this.#memory.byId.get(endpointId);
  }

  /** Of one namespace: which versions are served, and where. */
  served(ns: string): { workflow: string; version: string; endpoint: LiveEndpoint }[] {
    const served = [];
    for (const [key, endpoint] of this.#memory.byVersion) {
      if (endpoint.stored.ns !== ns) continue;
      const text = key.slice(ns.length + 1);
      const at = text.lastIndexOf("@");
      served.push({ workflow: text.slice(0, at), version: text.slice(at + 1), endpoint });
    }
    return served;
  }

  all(): Iterable<LiveEndpoint> {
    return this.#memory.byId.values();
  }

  /** Reads the store again unless what is known is younger than this. */
  async refreshAfter(ms: number): Promise<void> {
    if (performance.now() - this.#memory.readAt > ms) await this.refresh();
  }

  /** Reads the store again. Calls that arrive while it reads share one further reading, which sees their change. */
  async refresh(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#read();
    return this.#reading;
  }

  async #read(): Promise<void> {
    try {
      do {
        this.#again = false;
        this.#memory.readAt = performance.now();
        await this.#adopt(await this.#options.store.listEndpoints());
      } while (this.#again);
    } finally {
      this.#reading = undefined;
    }
  }

  async #adopt(listed: Listed): Promise<void> {
    const byId = new Map<string, LiveEndpoint>();
    const byVersion = new Map<string, LiveEndpoint>();
    const timeouts = new Map<string, number>();
    const appeared = new Map<string, ServedVersion[]>();
    for (const { owns, ...stored } of listed) {
      const live = await this.#revive(stored);
      if (!live) continue;
      byId.set(stored.id, live);
      for (const { workflow, version } of owns) {
        const key = versionKey(stored.ns, workflow, version);
        byVersion.set(key, live);
        if (this.#memory.byVersion.has(key)) continue;
        appeared.set(stored.ns, [...(appeared.get(stored.ns) ?? []), { workflow, version }]);
      }
      for (const { name, version, timeoutMs } of stored.manifest.workflows) {
        const key = versionKey(stored.ns, name, version);
        if (timeoutMs !== undefined && byVersion.get(key) === live) timeouts.set(key, timeoutMs);
      }
    }
    Object.assign(this.#memory, { byId, byVersion, timeouts });
    for (const [ns, versions] of appeared) this.#options.appeared?.(ns, versions);
  }

  /** One endpoint whose headers do not open must not take the others with it. */
  async #revive(stored: StoredEndpoint): Promise<LiveEndpoint | undefined> {
    try {
      const { seal, makeSlots } = this.#options;
      return await revive(stored, seal, this.#memory.byId.get(stored.id), makeSlots);
    } catch (error) {
      this.#options.log.error(error instanceof Error ? error.message : "An endpoint cannot be read.", {
        endpoint: stored.id,
        namespace: stored.ns,
      });
      return undefined;
    }
  }
}

/** Unambiguous: a namespace has no `/`, a version no `@`. */
function versionKey(ns: string, workflow: string, version: string): string {
  return `${ns}/${workflow}@${version}`;
}
