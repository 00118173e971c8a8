import { useSyncExternalStore } from "react";

/** Where tables become cards; the style sheets name the same width. */
const query = matchMedia("(max-width: 860px)");

function subscribe(listener: () => void): () => void {
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}

export function useIsNarrow(): boolean {
  return useSyncExternalStore(subscribe, () => query.matches);
}
