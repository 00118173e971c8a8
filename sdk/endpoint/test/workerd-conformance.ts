import { conformance } from "./conformance.js";
import type { Counts } from "./probes.js";
import { bundleForWorkers, startWorker } from "./workerd.js";

/** The conformance of a Worker that serves `probes`, and tells what they counted at `/counts`. */
export function bundledConformance(adapter: string, resolveFrom: URL, module: string): void {
  conformance({
    name: "Workers",
    adapter,
    async launch({ publicKeys }) {
      const script = await bundleForWorkers(module, resolveFrom);
      const { origin, close } = await startWorker({ script, bindings: { AIKI_PUBLIC_KEYS: publicKeys } });
      const counts = async () => (await (await fetch(`${origin}/counts`)).json()) as Counts;
      return { url: `${origin}/api/aiki`, counts, close };
    },
    differs: { leaving: "workerd sees that a connection was reset" },
    // A Worker that was given keys is taken to be deployed.
    production: true,
  });
}
