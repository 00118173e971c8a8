import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown, ChevronRight, ScrollText } from "lucide-react";
import { useRef, useState } from "react";
import type { TimedRecord } from "../../api/follow-run.js";
import { CopyButton } from "../../parts/copy.js";
import { Empty, Loading } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import { Payload } from "../../parts/payload.js";
import { Ago } from "../../parts/time.js";
import styles from "./history.module.css";

const LINE_PX = 35;

/** The records as they are written, in their order. */
export function History({
  records,
  arriving,
}: {
  readonly records: readonly TimedRecord[];
  /** There are some, and they are on their way. */
  readonly arriving: boolean;
}) {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const box = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: records.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    overscan: 12,
    getItemKey: (index) => records[index]?.n ?? index,
  });
  const toggle = (n: number) => {
    const next = new Set(open);
    if (!next.delete(n)) next.add(n);
    setOpen(next);
  };
  if (arriving) return <Loading rows={8} what="Loading the history" />;
  if (records.length === 0) {
    return (
      <Panel title="History" flush>
        <Empty icon={ScrollText} title="Nothing is recorded yet">
          What the workflow has done is written here, one fact after the other, and never changed.
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel title="History" flush aside={<CopyButton text={JSON.stringify(records, null, 2)}>Copy as JSON</CopyButton>}>
      <div className={styles["list"]} ref={box}>
        <ol style={{ height: list.getTotalSize() }} aria-label="Records">
          {list.getVirtualItems().map(({ key, index, start }) => {
            const record = records[index];
            if (!record) return null;
            const isOpen = open.has(record.n);
            return (
              <li
                key={key}
                ref={list.measureElement}
                data-index={index}
                className={styles["row"]}
                style={{ transform: `translateY(${start}px)` }}
              >
                <button
                  type="button"
                  className={styles["line"]}
                  aria-expanded={isOpen}
                  onClick={() => toggle(record.n)}
                >
                  {isOpen ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />}
                  <span className={styles["quiet"]}>{record.n}</span>
                  <span className={styles["quiet"]}>{record.kind}</span>
                  <span title={record.key}>{nameOf(record.key)}</span>
                  <span>{record.value.state}</span>
                  <span className={styles["quiet"]}>
                    <Ago at={record.at} />
                  </span>
                </button>
                {isOpen && (
                  <div className={styles["value"]}>
                    <Payload value={JSON.parse(JSON.stringify(record))} what="the record" />
                  </div>
                )}
              </li>
            );
          })}
        </ol>
      </div>
    </Panel>
  );
}

function nameOf(key: string): string {
  const address = key.slice(key.indexOf(":") + 1, key.lastIndexOf("#"));
  return address.replace(/:[0-9a-f]{64}/g, "") || "the run itself";
}
