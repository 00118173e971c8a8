/** What can be said of a value and a schema. */
export interface Misfit {
  readonly path: readonly (string | number)[];
  /** "expected string, received number". */
  readonly message: string;
}

/** `unknown`: the schema says something that is not judged here, or judging would take too long. */
export type Verdict = "fits" | "unknown" | Misfit;

export function isMisfit(verdict: Verdict): verdict is Misfit {
  return typeof verdict === "object";
}

/** All must fit. The first misfit decides. */
export function every<Part>(parts: Iterable<Part>, judge: (part: Part) => Verdict): Verdict {
  let verdict: Verdict = "fits";
  for (const part of parts) {
    const one = judge(part);
    if (isMisfit(one)) return one;
    if (one === "unknown") verdict = one;
  }
  return verdict;
}

/** How many fit, as a range: an unknown one may or may not. `nearest` is the misfit that lies deepest in the value. */
export function count<Part>(
  parts: Iterable<Part>,
  judge: (part: Part) => Verdict,
): { readonly least: number; readonly most: number; readonly nearest: Misfit | undefined } {
  let least = 0;
  let most = 0;
  let nearest: Misfit | undefined;
  for (const part of parts) {
    const one = judge(part);
    if (isMisfit(one)) {
      if (!nearest || one.path.length > nearest.path.length) nearest = one;
      continue;
    }
    most++;
    if (one === "fits") least++;
  }
  return { least, most, nearest };
}
