import { useEffect } from "react";

/** What the browser's tab says. Undefined: what it said before. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    if (title !== undefined) document.title = `${title} · Aiki`;
  }, [title]);
}
