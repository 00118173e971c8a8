/** Endpoints and keys in memory. */
import type { Endpoint } from "@aikirun/protocol";
import type { KeyStore, Registry, SaveEndpointOutcome, StoredEndpoint, StoredKey, StoredSigningKey } from "./port.js";

interface Owned {
  readonly workflow: string;
  readonly version: string;
  readonly endpointId: string;
}

export class MemoryRegistry implements Registry {
  readonly #endpoints = new Map<string, StoredEndpoint>();
  /** Who serves each version, by namespace, workflow and version. */
  readonly #owners = new Map<string, Owned>();

  async saveEndpoint(endpoint: StoredEndpoint, takeOver: boolean): Promise<SaveEndpointOutcome> {
    const { ns, manifest } = endpoint;
    const before = [...this.#endpoints.values()].find((e) => e.ns === ns && e.name === endpoint.name);
    const mine = new Set([endpoint.id, before?.id]);
    if (!takeOver) {
      for (const { name: workflow, version } of manifest.workflows) {
        const owner = this.#owners.get(versionKey(ns, workflow, version));
        if (!owner || mine.has(owner.endpointId)) continue;
        const other = this.#endpoints.get(owner.endpointId) as StoredEndpoint;
        return { type: "version_owned", by: other.name, url: other.url, workflow, version };
      }
    }
    if (before) this.#forget(before.id);
    this.#endpoints.set(endpoint.id, endpoint);
    for (const { name: workflow, version } of manifest.workflows) {
      this.#owners.set(versionKey(ns, workflow, version), { workflow, version, endpointId: endpoint.id });
    }
    return { type: "saved" };
  }

  async markEndpoint(
    ns: string,
    id: string,
    status: Endpoint["status"],
    trouble: StoredEndpoint["trouble"],
  ): Promise<void> {
    const endpoint = this.#endpoints.get(id);
    if (endpoint?.ns === ns) this.#endpoints.set(id, { ...endpoint, status, trouble });
  }

  async listEndpoints(ns?: string): ReturnType<Registry["listEndpoints"]> {
    const owned = [...this.#owners.values()];
    return [...this.#endpoints.values()]
      .filter((endpoint) => ns === undefined || endpoint.ns === ns)
      .map((endpoint) => ({
        ...endpoint,
        owns: owned
          .filter((owner) => owner.endpointId === endpoint.id)
          .map(({ workflow, version }) => ({ workflow, version })),
      }));
  }

  async removeEndpoint(ns: string, id: string): Promise<boolean> {
    if (this.#endpoints.get(id)?.ns !== ns) return false;
    this.#forget(id);
    return true;
  }

  #forget(id: string): void {
    this.#endpoints.delete(id);
    for (const [key, owner] of this.#owners) if (owner.endpointId === id) this.#owners.delete(key);
  }
}

export class MemoryKeys implements KeyStore {
  readonly #keys = new Map<string, StoredKey>();
  readonly #signingKeys = new Map<string, StoredSigningKey>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  async createKey(key: StoredKey): Promise<void> {
    this.#keys.set(key.id, key);
  }

  async findKey(hash: string): Promise<StoredKey | undefined> {
    return [...this.#keys.values()].find((key) => key.hash === hash);
  }

  async listKeys(ns: string | undefined): Promise<StoredKey[]> {
    return [...this.#keys.values()].filter((key) => ns === undefined || key.ns === ns);
  }

  async revokeKey(ns: string | undefined, id: string): Promise<boolean> {
    const key = this.#keys.get(id);
    if (!key || (ns !== undefined && key.ns !== ns) || key.revokedAt !== undefined) return false;
    this.#keys.set(id, { ...key, revokedAt: this.#now() });
    return true;
  }

  async hasKeys(): Promise<boolean> {
    const now = this.#now();
    return [...this.#keys.values()].some(
      (key) => key.revokedAt === undefined && (key.expiresAt === undefined || key.expiresAt > now),
    );
  }

  async listSigningKeys(): Promise<StoredSigningKey[]> {
    return [...this.#signingKeys.values()];
  }

  async addSigningKey(key: StoredSigningKey): Promise<StoredSigningKey[]> {
    const states = [...this.#signingKeys.values()].map((stored) => stored.state);
    if (!states.includes(key.state)) this.#signingKeys.set(key.kid, key);
    return this.listSigningKeys();
  }

  async setSigningKeyState(kid: string, state: StoredSigningKey["state"]): Promise<void> {
    const key = this.#signingKeys.get(kid);
    if (key) this.#signingKeys.set(kid, { ...key, state });
  }

  async removeSigningKey(kid: string): Promise<void> {
    this.#signingKeys.delete(kid);
  }

  async epoch(): Promise<number> {
    return EPOCH;
  }

  async ping(): Promise<void> {}
}

/** Memory is never restored from a backup. */
export const EPOCH = 1;

function versionKey(ns: string, workflow: string, version: string): string {
  return [ns, workflow, version].join("\u0000");
}
