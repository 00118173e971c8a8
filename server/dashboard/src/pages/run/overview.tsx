import { type PointerEvent, useMemo, useRef, useState } from "react";
import { lengthOf, place, type Span } from "./scale.js";
import styles from "./timeline.module.css";
import type { Entry, Look } from "./timeline-model.js";

/** Columns that the whole run is drawn in: a thousand entries are one path for each look. */
const COLUMNS = 400;
const LANES = 5;
const COLOURS: Readonly<Record<Look, string>> = {
  completed: "var(--completed)",
  failed: "var(--failed)",
  retrying: "var(--failed)",
  sleeping: "var(--suspended)",
  waiting: "var(--scheduled)",
  running: "var(--running)",
  cancelled: "var(--cancelled)",
  gap: "none",
};
/** A press that moves less is no drag. */
const LEAST_DRAG = 0.005;

/** All of the run at a glance; dragging over a part of it shows that part. */
export function Overview({
  entries,
  whole,
  seen,
  see,
}: {
  readonly entries: readonly Entry[];
  readonly whole: Span;
  readonly seen: Span | undefined;
  readonly see: (span: Span | undefined) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<{ readonly from: number; readonly to: number }>();
  const paths = useMemo(() => pathsOf(entries, whole), [entries, whole]);
  const shareAt = (event: PointerEvent) => {
    const { left = 0, width = 1 } = box.current?.getBoundingClientRect() ?? {};
    return Math.min(Math.max((event.clientX - left) / width, 0), 1);
  };
  const down = (event: PointerEvent<HTMLDivElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = shareAt(event);
    setDrag({ from: at, to: at });
  };
  const up = () => {
    if (!drag) return;
    setDrag(undefined);
    const [from, to] = drag.from < drag.to ? [drag.from, drag.to] : [drag.to, drag.from];
    if (to - from < LEAST_DRAG) return see(undefined);
    const length = lengthOf(whole);
    see({ from: whole.from + from * length, to: whole.from + to * length });
  };
  const brush = drag
    ? { left: Math.min(drag.from, drag.to) * 100, width: Math.abs(drag.to - drag.from) * 100 }
    : seen && place(seen, whole);
  return (
    <div
      ref={box}
      className={styles["overview"]}
      title="Drag over a part to see it larger; press to see all"
      onPointerDown={down}
      onPointerMove={(event) => drag && setDrag({ ...drag, to: shareAt(event) })}
      onPointerUp={up}
      onPointerCancel={() => setDrag(undefined)}
    >
      <svg viewBox={`0 0 ${COLUMNS} ${LANES * 6}`} preserveAspectRatio="none" aria-hidden="true">
        {paths.map(([look, path]) => (
          <path key={look} d={path} stroke={COLOURS[look]} strokeWidth="3" vectorEffect="none" fill="none" />
        ))}
      </svg>
      {brush && <div className={styles["brush"]} style={{ left: `${brush.left}%`, width: `${brush.width}%` }} />}
    </div>
  );
}

/** Entries lie in lanes by turns, so that what happens at one time does not cover itself. */
function pathsOf(entries: readonly Entry[], whole: Span): [Look, string][] {
  const paths = new Map<Look, Set<string>>();
  const length = lengthOf(whole);
  for (const [i, entry] of entries.entries()) {
    const y = (i % LANES) * 6 + 3;
    for (const { from, to = whole.to, look } of entry.bars) {
      if (look === "gap") continue;
      const start = Math.floor(((from - whole.from) / length) * COLUMNS);
      const end = Math.max(start + 1, Math.ceil(((to - whole.from) / length) * COLUMNS));
      const known = paths.get(look) ?? new Set();
      known.add(`M${start} ${y}H${end}`);
      paths.set(look, known);
    }
  }
  return [...paths].map(([look, lines]) => [look, [...lines].join("")]);
}
