/** Second half of `npm run simulate:breakages`: each of these breakages must be caught within this many random programs. */

import { PROGRAM_BREAKAGES } from "./breakages.js";
import { caughtByPrograms } from "./caught.js";

const MOST = 2_000;

let alive = 0;
for (const breakage of PROGRAM_BREAKAGES) {
  const caught = await caughtByPrograms(breakage, MOST);
  if (!caught) alive += 1;
  const found = caught
    ? `program ${String(caught.after).padStart(4)}, seed ${caught.program.seed}  ${caught.message.slice(0, 110)}`
    : `not in ${MOST} programs`;
  console.log(`${caught ? "caught" : "ALIVE "}  ${breakage.name.padEnd(66)} ${found}`);
}
console.log(
  alive === 0
    ? `All ${PROGRAM_BREAKAGES.length} breakages were caught.`
    : `${alive} of ${PROGRAM_BREAKAGES.length} are alive.`,
);
process.exit(alive === 0 ? 0 : 1);
