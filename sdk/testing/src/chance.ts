import { newId } from "@aikirun/protocol";

/** The same numbers in every test: from 0 to below 1 (mulberry32). */
export function chance(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const ID_BYTES = 16;

/** Ids of the same test are the same each time it runs. */
export function idsFrom(random: () => number, now: () => number) {
  return (prefix: "run" | "msg" | "push"): string =>
    newId(
      prefix,
      now(),
      Uint8Array.from({ length: ID_BYTES }, () => Math.floor(random() * 256)),
    );
}
