import type { RunSummary } from "@aikirun/protocol";
import { Link } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState } from "react";
import { Ident } from "../../parts/ident.js";
import { useIsNarrow } from "../../parts/narrow.js";
import { Status } from "../../parts/status.js";
import { Ago, Elapsed } from "../../parts/time.js";
import styles from "./runs.module.css";

const ROW_PX = 40;
const NARROW_ROW_PX = 66;
/** Rows below the last visible one at which the next page is asked for. */
const AHEAD = 40;

/** Only the rows in sight are in the document, however many were read. */
export function RunRows({ runs, reachEnd }: { readonly runs: readonly RunSummary[]; readonly reachEnd: () => void }) {
  const rowPx = useIsNarrow() ? NARROW_ROW_PX : ROW_PX;
  const box = useRef<HTMLDivElement>(null);
  const [offset, setOffset] = useState(0);
  // What stands above the list can change its height at any time.
  useLayoutEffect(() => {
    const top = box.current ? Math.round(box.current.getBoundingClientRect().top + window.scrollY) : 0;
    if (top !== offset) setOffset(top);
  });
  const rows = useWindowVirtualizer({
    count: runs.length,
    estimateSize: () => rowPx,
    overscan: 12,
    scrollMargin: offset,
    getItemKey: (index) => runs[index]?.id ?? index,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: heights are remembered until they are measured anew.
  useLayoutEffect(() => rows.measure(), [rowPx]);

  const visible = rows.getVirtualItems();
  const last = visible.at(-1)?.index ?? 0;
  const nearEnd = last >= runs.length - AHEAD;
  useLayoutEffect(() => {
    if (nearEnd) reachEnd();
  }, [nearEnd, reachEnd]);

  return (
    <div role="table" aria-label="Runs" aria-rowcount={-1}>
      <div role="rowgroup">
        <div role="row" className={`${styles["columns"]} ${styles["head"]}`}>
          <span role="columnheader">Status</span>
          <span role="columnheader">Workflow</span>
          <span role="columnheader">Run</span>
          <span role="columnheader">Reference</span>
          <span role="columnheader">Created</span>
          <span role="columnheader" className={styles["right"]}>
            Took
          </span>
        </div>
      </div>
      <div ref={box} role="rowgroup" className={styles["rows"]} style={{ height: rows.getTotalSize() }}>
        {visible.map(({ key, index, start }) => {
          const run = runs[index];
          return run && <Row key={key} run={run} index={index} top={start - offset} />;
        })}
      </div>
    </div>
  );
}

function Row({ run, index, top }: { readonly run: RunSummary; readonly index: number; readonly top: number }) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className={`${styles["columns"]} ${styles["row"]}`}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div role="cell">
        <Status status={run.status} size="bare" />
      </div>
      <div role="cell">
        <Link to="/runs/$runId" params={{ runId: run.id }} className={styles["name"]} title={run.workflow}>
          {run.workflow}
        </Link>
        <span className={styles["version"]}>{run.version}</span>
      </div>
      <div role="cell" className={styles["quiet"]}>
        <Ident value={run.id} what="the run's id" />
      </div>
      <div role="cell" className={styles["quiet"]} title={run.reference}>
        {run.reference}
      </div>
      <div role="cell" className={styles["quiet"]}>
        <Ago at={run.createdAt} />
      </div>
      <div role="cell" className={`${styles["quiet"]} ${styles["right"]}`}>
        {run.status === "scheduled" ? "–" : <Elapsed from={run.createdAt} to={run.endedAt} />}
      </div>
    </div>
  );
}
