import { assembleStore } from "../../src/store/memory.js";
import { MemoryRuns } from "../../src/store/memory-runs.js";
import { storeConformance } from "./conformance.js";
import { orphansInMemory } from "./orphans.js";

storeConformance("the store in memory", async () => {
  const runs = new MemoryRuns({}, () => 1);
  const store = assembleStore(runs, {});
  return {
    stores: [store, store, store, store, store, store, store, store],
    orphans: async () => orphansInMemory(runs.rows.values(), Date.now()),
    close: async () => {},
  };
});
