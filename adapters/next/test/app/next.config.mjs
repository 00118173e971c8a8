import { fileURLToPath } from "node:url";

/** The packages under test are above this folder. */
const root = fileURLToPath(new URL("../../../..", import.meta.url));

export default { turbopack: { root }, outputFileTracingRoot: root };
