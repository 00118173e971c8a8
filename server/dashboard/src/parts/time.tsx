import { useNow } from "./clock.js";
import { countdownText, durationText, instantText, relativeText } from "./text.js";

/** An instant as a distance from now; the instant itself on hover. */
export function Ago({ at }: { readonly at: number }) {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={instantText(at)}>
      {relativeText(at, now)}
    </time>
  );
}

/** A live countdown to an instant. */
export function Until({ at }: { readonly at: number }) {
  const now = useNow();
  const leftMs = at - now;
  return (
    <time dateTime={new Date(at).toISOString()} title={instantText(at)}>
      {leftMs > 0 ? `in ${countdownText(leftMs)}` : "due now"}
    </time>
  );
}

/** How long something took, or has taken up to now. */
export function Elapsed({ from, to }: { readonly from: number; readonly to: number | undefined }) {
  return to === undefined ? <Growing from={from} /> : <span>{durationText(to - from)}</span>;
}

function Growing({ from }: { readonly from: number }) {
  const now = useNow();
  return <span>{countdownText(now - from)}</span>;
}
