import { ChevronDown, ChevronRight, Clock, Inbox, type LucideIcon, Split, SquareFunction } from "lucide-react";
import type { CSSProperties } from "react";
import { countdownText, durationText } from "../../parts/text.js";
import { Until } from "../../parts/time.js";
import { place, type Span } from "./scale.js";
import styles from "./timeline.module.css";
import type { Bar, Entry } from "./timeline-model.js";
import type { TimelineRow } from "./timeline-rows.js";

const ICONS: Readonly<Record<Entry["kind"], LucideIcon>> = {
  task: SquareFunction,
  sleep: Clock,
  event: Inbox,
  child: Split,
};
/** Beyond this share of the track there is no room for words behind a bar. */
const ROOM_UNTIL = 82;

interface RowProps {
  readonly row: TimelineRow;
  readonly top: number;
  readonly seen: Span;
  /** Where the ticks stand, in percent. */
  readonly lines: readonly number[];
  readonly retriedAt: readonly number[];
  /** Where what goes on is drawn to. */
  readonly end: number;
  readonly selected: boolean;
  readonly select: (id: string) => void;
  readonly toggle: (childId: string) => void;
}

export function Row({ row, top, seen, lines, retriedAt, end, selected, select, toggle }: RowProps) {
  const { entry, depth } = row;
  const Icon = ICONS[entry.kind];
  const { childId } = entry;
  return (
    <li
      className={styles["row"]}
      data-selected={selected}
      data-entry={entry.key}
      style={{ transform: `translateY(${top}px)`, "--depth": depth } as CSSProperties}
    >
      <div className={styles["label"]}>
        {childId ? (
          <button
            type="button"
            className={styles["toggle"]}
            aria-expanded={row.opened}
            aria-label={`${row.opened ? "Close" : "Open"} the child ${entry.name}`}
            onClick={() => toggle(childId)}
          >
            {row.opened ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />}
          </button>
        ) : (
          <span className={styles["indent"]} />
        )}
        <Icon size={14} aria-hidden />
        <button
          type="button"
          className={styles["name"]}
          title={`${entry.kind} ${entry.name}`}
          aria-pressed={selected}
          onClick={() => select(row.id)}
        >
          {entry.name}
          {entry.hash && <small> {entry.hash.slice(0, 6)}</small>}
          {entry.index > 0 && <small> #{entry.index + 1}</small>}
          <span className="visually-hidden">
            , {entry.kind}, {entry.state}
          </span>
        </button>
      </div>
      <div className={styles["track"]}>
        {lines.map((left) => (
          <i key={left} style={{ left: `${left}%` }} />
        ))}
        {retriedAt.map((at) => {
          const mark = place({ from: at, to: at }, seen);
          return (
            mark && (
              <span key={at} className={styles["retried"]} style={{ left: `${mark.left}%` }} title="new attempt" />
            )
          );
        })}
        {entry.bars.map((bar) => (
          <OneBar key={`${bar.from} ${bar.label}`} bar={bar} seen={seen} end={end} />
        ))}
        <Beside entry={entry} seen={seen} end={end} />
      </div>
    </li>
  );
}

function OneBar({ bar, seen, end }: { readonly bar: Bar; readonly seen: Span; readonly end: number }) {
  const to = bar.to ?? Math.max(end, bar.from);
  const spot = place({ from: bar.from, to }, seen);
  if (!spot) return null;
  return (
    <span
      className={`${styles["bar"]} ${styles[bar.look]} ${bar.to === undefined ? styles["growing"] : ""}`}
      style={{ left: `min(${spot.left}%, 100% - 3px)`, width: `${spot.width}%` }}
      title={`${bar.label}: ${durationText(to - bar.from)}`}
    />
  );
}

/** How long it took, beside the bar where there is room. */
function Beside({ entry, seen, end }: { readonly entry: Entry; readonly seen: Span; readonly end: number }) {
  const to = entry.to ?? Math.max(end, entry.from);
  const spot = place({ from: entry.from, to }, seen);
  if (!spot) return null;
  const right = spot.left + spot.width;
  const side = right < ROOM_UNTIL ? "after" : spot.left > 100 - ROOM_UNTIL ? "before" : "on";
  return (
    <span
      className={`${styles["beside"]} ${styles[side] ?? ""}`}
      style={{ left: `${side === "after" ? right : spot.left}%` }}
    >
      {entry.to === undefined ? <Left entry={entry} end={end} /> : durationText(entry.to - entry.from)}
      {entry.attempts !== undefined && entry.attempts > 1 && ` · ${entry.attempts} attempts`}
    </span>
  );
}

function Left({ entry, end }: { readonly entry: Entry; readonly end: number }) {
  if (entry.endsAt === undefined) return <>{countdownText(end - entry.from)}</>;
  return (
    <>
      {entry.kind === "task" ? "again " : entry.kind === "event" ? "times out " : "wakes "}
      <Until at={entry.endsAt} />
    </>
  );
}
