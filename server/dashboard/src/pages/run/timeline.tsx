import type { Run } from "@aikirun/protocol";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChartGantt, ChevronLeft, ChevronRight, Maximize, ZoomIn, ZoomOut } from "lucide-react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { hasEnded } from "../../api/follow-run.js";
import { Button } from "../../parts/button.js";
import { useNow } from "../../parts/clock.js";
import { inputClass } from "../../parts/field.js";
import { useIsNarrow } from "../../parts/narrow.js";
import { Empty, Loading } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import { durationText, plural } from "../../parts/text.js";
import { EntryDetail } from "./entry-detail.js";
import { Overview } from "./overview.js";
import { lengthOf, move, place, type Span, ticksOf, zoom } from "./scale.js";
import styles from "./timeline.module.css";
import type { Entry, Look, Timeline as TimelineData } from "./timeline-model.js";
import { Row } from "./timeline-row.js";
import { type TimelineRow, useTimelineRows } from "./timeline-rows.js";

const ROW_PX = 30;
const NARROW_ROW_PX = 50;
const CLOSER = 2;
/** Percent of the track behind which a tick has no room for its label. */
const LAST_LABEL = 92;

export function Timeline({
  run,
  timeline,
  arriving,
}: {
  readonly run: Run;
  readonly timeline: TimelineData;
  /** There are records, and they are on their way. */
  readonly arriving: boolean;
}) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [selected, setSelected] = useState<string>();
  const rows = useTimelineRows(run.id, timeline, opened);
  const whole = useWhole(run, timeline.entries);
  const [chosen, setSeen] = useState<Span>();
  const seen = chosen ?? whole;
  const [text, setText] = useState("");
  const shown = text.trim() === "" ? rows : rows.filter(({ entry }) => matches(entry, text.trim().toLowerCase()));
  const row = rows.find(({ id }) => id === selected);

  if (arriving) {
    return (
      <Panel title="Timeline" flush>
        <Loading rows={8} what="Loading the timeline" />
      </Panel>
    );
  }
  if (timeline.entries.length === 0) {
    return (
      <Panel title="Timeline" flush>
        <Empty icon={ChartGantt} title={hasEnded(run) ? "Nothing was recorded" : "Nothing is recorded yet"}>
          Tasks, sleeps, waits and children appear here as they are recorded.
        </Empty>
      </Panel>
    );
  }
  const toggle = (childId: string) => {
    const next = new Set(opened);
    if (!next.delete(childId)) next.add(childId);
    setOpened(next);
  };
  const closer = (factor: number) => setSeen(zoom(seen, whole, factor, (seen.from + seen.to) / 2));
  return (
    <div className={`${styles["layout"]} ${row ? styles["open"] : ""}`}>
      <Panel
        title="Timeline"
        flush
        aside={
          <div className={styles["tools"]}>
            <input
              type="search"
              className={`${inputClass} ${styles["find"]}`}
              placeholder="Find entries"
              aria-label="Find entries by name, kind or state"
              value={text}
              onChange={({ target }) => setText(target.value)}
            />
            <small>
              {plural(timeline.entries.length, "entry", "entries")} over {durationText(lengthOf(whole))}
            </small>
            <Tool label="Earlier" icon={ChevronLeft} act={() => setSeen(move(seen, whole, -0.5))} off={!chosen} />
            <Tool label="Later" icon={ChevronRight} act={() => setSeen(move(seen, whole, 0.5))} off={!chosen} />
            <Tool label="Zoom out" icon={ZoomOut} act={() => closer(1 / CLOSER)} off={!chosen} />
            <Tool label="Zoom in" icon={ZoomIn} act={() => closer(CLOSER)} />
            <Tool label="Show all of it" icon={Maximize} act={() => setSeen(undefined)} off={!chosen} />
          </div>
        }
      >
        <Overview entries={timeline.entries} whole={whole} seen={chosen} see={setSeen} />
        <Rows
          rows={shown}
          start={run.createdAt}
          whole={whole}
          seen={seen}
          see={setSeen}
          retriedAt={timeline.retriedAt}
          selected={selected}
          select={(id) => setSelected(id === selected ? undefined : id)}
          toggle={toggle}
        />
        <Legend />
      </Panel>
      {row && (
        <EntryDetail
          entry={row.entry}
          start={run.createdAt}
          close={() => setSelected(undefined)}
          look={(span) => setSeen(zoomTo(span, whole))}
        />
      )}
    </div>
  );
}

function matches({ name, kind, state, hash = "" }: Entry, text: string): boolean {
  return `${name} ${kind} ${state} ${hash}`.toLowerCase().includes(text);
}

/** A little more than the span itself. */
function zoomTo({ from, to }: Span, whole: Span): Span | undefined {
  const margin = Math.max((to - from) * 0.15, 2);
  const span = { from: Math.max(from - margin, whole.from), to: Math.min(to + margin, whole.to) };
  return lengthOf(span) >= lengthOf(whole) ? undefined : span;
}

/** From the run's first sign to its last, or to now. Endpoints time their tasks by clocks of their own. */
function useWhole(run: Run, entries: readonly Entry[]): Span {
  const now = useNow();
  const from = entries.reduce((least, entry) => Math.min(least, entry.from), run.createdAt);
  const last = entries.reduce((most, entry) => Math.max(most, entry.to ?? entry.from), run.createdAt);
  const to = Math.max(run.endedAt ?? now, last, from + 1);
  // The same for a run that has ended, whatever time it is: nothing is drawn again.
  return useMemo(() => ({ from, to }), [from, to]);
}

interface RowsProps {
  readonly rows: readonly TimelineRow[];
  readonly start: number;
  readonly whole: Span;
  readonly seen: Span;
  readonly see: (span: Span | undefined) => void;
  readonly retriedAt: readonly number[];
  readonly selected: string | undefined;
  readonly select: (id: string) => void;
  readonly toggle: (childId: string) => void;
}

function Rows({ rows, start, whole, seen, see, retriedAt, selected, select, toggle }: RowsProps) {
  const rowPx = useIsNarrow() ? NARROW_ROW_PX : ROW_PX;
  const box = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowPx,
    overscan: 10,
    getItemKey: (index) => rows[index]?.id ?? index,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: heights are remembered until they are measured anew.
  useLayoutEffect(() => list.measure(), [rowPx]);
  useWheelZoom(box, seen, whole, see);
  const ticks = ticksOf(seen, start);
  const lines = ticks.map((offset) => place({ from: start + offset, to: start + offset }, seen)?.left ?? 0);
  return (
    <div className={styles["grid"]} ref={box}>
      <div className={styles["axis"]} aria-hidden>
        <span>since the start</span>
        <div className={styles["ticks"]}>
          {ticks.map((offset, i) => (
            <span key={offset} style={{ left: `${lines[i]}%` }}>
              {labelOf(offset, lines[i] ?? 0)}
            </span>
          ))}
        </div>
      </div>
      <ol className={styles["rows"]} style={{ height: list.getTotalSize() }} aria-label="Entries">
        {list.getVirtualItems().map(({ key, index, start: top }) => {
          const row = rows[index];
          if (!row) return null;
          return (
            <Row
              key={key}
              row={row}
              top={top}
              seen={seen}
              lines={lines}
              retriedAt={retriedAt}
              end={whole.to}
              selected={row.id === selected}
              select={select}
              toggle={toggle}
            />
          );
        })}
      </ol>
    </div>
  );
}

/** Short, and none where it would be cut off. */
function labelOf(offset: number, left: number): string {
  if (left > LAST_LABEL) return "";
  return offset === 0 ? "0" : `+${durationText(offset).replace(/\.0+ s$/, " s")}`;
}

/** Ctrl and the wheel (which is also a pinch on a trackpad) zoom where the pointer is. */
function useWheelZoom(
  box: React.RefObject<HTMLDivElement | null>,
  seen: Span,
  whole: Span,
  see: (span: Span | undefined) => void,
): void {
  useEffect(() => {
    const element = box.current;
    const turn = (event: WheelEvent) => {
      const track = element?.querySelector(`.${styles["ticks"]}`)?.getBoundingClientRect();
      if (!event.ctrlKey || !track) return;
      event.preventDefault();
      const share = Math.min(Math.max((event.clientX - track.left) / track.width, 0), 1);
      see(zoom(seen, whole, event.deltaY < 0 ? 1.25 : 0.8, seen.from + share * lengthOf(seen)));
    };
    element?.addEventListener("wheel", turn, { passive: false });
    return () => element?.removeEventListener("wheel", turn);
  }, [box, seen, whole, see]);
}

function Tool({
  label,
  icon: Icon,
  act,
  off = false,
}: {
  readonly label: string;
  readonly icon: typeof ZoomIn;
  readonly act: () => void;
  readonly off?: boolean;
}) {
  return (
    <Button kind="quiet" icon aria-label={label} title={label} onClick={act} disabled={off}>
      <Icon size={15} aria-hidden />
    </Button>
  );
}

const LEGEND: readonly (readonly [Look, string])[] = [
  ["completed", "completed"],
  ["retrying", "failed attempt"],
  ["failed", "failed"],
  ["gap", "until the next attempt"],
  ["sleeping", "sleep"],
  ["waiting", "wait for an event"],
  ["running", "child that goes on"],
];

function Legend() {
  return (
    <div className={styles["legend"]}>
      {LEGEND.map(([look, name]) => (
        <span key={look}>
          <span className={`${styles["bar"]} ${styles[look]}`} />
          {name}
        </span>
      ))}
    </div>
  );
}
