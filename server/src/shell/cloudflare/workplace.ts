/** What one request, one object or one cron run works with. Opened by it, closed by it. */
import { openSigningKeys, pinnedSigningKey, type SigningKeys } from "../../dispatch/keys.js";
import type { Seal } from "../../dispatch/seal.js";
import type { DispatchSettings } from "../../dispatch/settings.js";
import { webSigner } from "../../dispatch/sign.js";
import { LOOPBACK_CIDRS } from "../../egress/address.js";
import { type EgressPolicy, PUBLIC_ONLY } from "../../egress/policy.js";
import type { Log } from "../../log.js";
import type { Store } from "../../store/port.js";
import { type Assembly, assemble, type Wiring } from "../assembly.js";
import { jsonLog } from "../json-log.js";
import { RUN_ENDED } from "../local-host.js";
import type { Bindings, Configuration } from "./bindings.js";
import { type Isolate, isolateOf } from "./isolate.js";
import { isolateSlots } from "./isolate-slots.js";
import { webExchange } from "./web-exchange.js";

export interface Workplace extends Assembly {
  readonly isolate: Isolate;
  readonly store: Store;
  readonly seal: Seal;
  readonly signingKeys: SigningKeys;
  readonly dispatch: Partial<DispatchSettings>;
}

/** What goes on after the answer, as long as the host lets it. */
export type Defer = (work: Promise<unknown>) => void;

export const log: Log = jsonLog((line) => console.log(line.trimEnd()));

/** For the developer who watches; in production nobody reads a line per run. */
export function sayEnded(env: Bindings, namespace: string, run: string): void {
  if (isolateOf(env).configuration.local) log.info(RUN_ENDED, { namespace, run });
}

/** How old what is known of endpoints and keys may be. */
export const ENDPOINTS_FRESH_MS = 3_000;
const KEYS_FRESH_MS = 30_000;
/** A refused connection looks like a lost one here: an app that is down for an hour must not stall its runs. */
const MOST_LOST = 500;
const REGISTRATIONS_PER_MINUTE = 60;

/** Throws `SCHEMA_TOO_OLD`, `SCHEMA_UNKNOWN`, `SETTING_INVALID` or `StoreUnavailable`. */
export async function openWorkplace(
  isolate: Isolate,
  { defer, ...wiring }: Pick<Wiring, "doubt" | "woken"> & { readonly defer: Defer },
): Promise<Workplace> {
  const { configuration } = isolate;
  const { settings } = configuration;
  const { store, epoch } = await isolate.openStore();
  try {
    const seal = await isolate.seal();
    const memory = isolate.signingKeys;
    const signingKeys = settings.AIKI_SIGNING_KEY
      ? await pinnedSigningKey(settings.AIKI_SIGNING_KEY, webSigner)
      : await openSigningKeys({ store, seal, makeSigner: webSigner, now: Date.now, memory }, KEYS_FRESH_MS);
    const known = Number.isFinite(isolate.endpoints.readAt);
    const policy = egressPolicy(configuration);
    const assembly = assemble(
      {
        store,
        seal,
        signingKeys,
        exchange: webExchange(policy),
        policy,
        publicUrl: () => configuration.publicUrl,
        checkpointMac: isolate.checkpointMac,
        reachableByEndpoints: true,
        registrationsPerMinute: settings.AIKI_REGISTRATIONS_PER_MINUTE ?? REGISTRATIONS_PER_MINUTE,
        log,
      },
      {
        ...wiring,
        epoch,
        metrics: isolate.metrics,
        observer: isolate.observing,
        memory: isolate.endpoints,
        makeSlots: isolateSlots,
        recentRegistrations: isolate.registrations,
      },
    );
    const refreshed = assembly.endpoints.refreshAfter(ENDPOINTS_FRESH_MS);
    // What was known a moment ago serves until the news are here.
    if (known) defer(refreshed.catch(() => {}));
    else await refreshed;
    return { ...assembly, isolate, store, seal, signingKeys, dispatch: dispatchSettings(configuration) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function dispatchSettings({ settings }: Configuration): Partial<DispatchSettings> {
  const { AIKI_LEASE_MS: leaseMs } = settings;
  return { maxLost: MOST_LOST, ...(leaseMs !== undefined && { leaseMs }) };
}

function egressPolicy({ settings, local }: Configuration): EgressPolicy {
  return {
    allow: [...(local ? LOOPBACK_CIDRS : []), ...(settings.AIKI_EGRESS_ALLOW ?? [])],
    ports: settings.AIKI_EGRESS_PORTS ?? PUBLIC_ONLY.ports,
  };
}
