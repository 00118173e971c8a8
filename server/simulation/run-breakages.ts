/** `npm run simulate:breakages`: every deliberate breakage must be caught within this many seeds. */
import { BREAKAGES } from "./breakages.js";
import { caughtWithin } from "./caught.js";

const MAX_SEEDS = 2_000;

let alive = 0;
for (const breakage of BREAKAGES) {
  const caught = await caughtWithin(breakage, MAX_SEEDS);
  if (!caught) alive += 1;
  const found = caught
    ? `seed ${String(caught.seed).padStart(4)}  ${caught.message.slice(0, 90)}`
    : `not in ${MAX_SEEDS} seeds`;
  console.log(`${caught ? "caught" : "ALIVE "}  ${breakage.name.padEnd(66)} ${found}`);
}
console.log(
  alive === 0 ? `All ${BREAKAGES.length} breakages were caught.` : `${alive} of ${BREAKAGES.length} are alive.`,
);
process.exit(alive === 0 ? 0 : 1);
