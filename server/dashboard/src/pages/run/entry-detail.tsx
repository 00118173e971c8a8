import type { WireError } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { ScanSearch, X } from "lucide-react";
import { useEffect, useRef } from "react";
import type { TimedRecord } from "../../api/follow-run.js";
import { runQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { Ident, RunLink } from "../../parts/ident.js";
import { Facts, Panel } from "../../parts/panel.js";
import { ErrorText, Payload } from "../../parts/payload.js";
import { durationText, instantText } from "../../parts/text.js";
import { Until } from "../../parts/time.js";
import type { Span } from "./scale.js";
import styles from "./timeline.module.css";
import type { Entry } from "./timeline-model.js";

/** All that is known of one entry. */
export function EntryDetail({
  entry,
  start,
  close,
  look,
}: {
  readonly entry: Entry;
  readonly start: number;
  readonly close: () => void;
  readonly look: (span: Span) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  // Below the timeline, where there is no room beside it, it would open out of sight.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another entry is another detail.
  useEffect(() => {
    // Newer browsers give a promise, which is no clean-up.
    void box.current?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }, [entry.key]);
  const tries = entry.records.filter(isAttempt);
  return (
    <div ref={box} data-detail={entry.key}>
      <Panel
        title={entry.name}
        aside={
          <span>
            <Button
              kind="quiet"
              icon
              aria-label="Zoom to it"
              title="Zoom to it"
              onClick={() => look({ from: entry.from, to: entry.to ?? Date.now() })}
            >
              <ScanSearch size={15} aria-hidden />
            </Button>
            <Button kind="quiet" icon aria-label="Close" title="Close" onClick={close}>
              <X size={15} aria-hidden />
            </Button>
          </span>
        }
      >
        <div className={styles["detail"]}>
          <Facts
            of={[
              ["Kind", entry.kind],
              ["State", entry.state],
              [
                "Began",
                <span key="began" title={instantText(entry.from)}>{`+${durationText(entry.from - start)}`}</span>,
              ],
              ["Took", entry.to === undefined ? undefined : durationText(entry.to - entry.from)],
              ["Ends", entry.endsAt === undefined ? undefined : <Until key="ends" at={entry.endsAt} />],
              ["Attempts", entry.attempts],
              ["Call", entry.index > 0 ? `the ${entry.index + 1}. with this input` : undefined],
              ["Child", entry.childId && <RunLink key="child" id={entry.childId} />],
              ["Input hash", entry.hash && <Ident key="hash" value={entry.hash} what="the input's hash" />],
            ].map(([name, value]) => [name as string, value === "" ? undefined : value] as const)}
          />
          {entry.childId && <ChildInput id={entry.childId} />}
          {entry.output !== undefined && (
            <section>
              <h3>{entry.kind === "event" ? "Data" : "Output"}</h3>
              <Payload value={entry.output} what="the output" />
            </section>
          )}
          {entry.error && (
            <section>
              <h3>Error</h3>
              <ErrorText error={entry.error} />
            </section>
          )}
          {tries.length > 1 && <Attempts tries={tries} />}
        </div>
      </Panel>
    </div>
  );
}

type Attempt = Extract<TimedRecord, { kind: "task" }>;

function isAttempt(record: TimedRecord): record is Attempt {
  return record.kind === "task" && !(record.value.state === "retrying" && record.value.due === true);
}

function Attempts({ tries }: { readonly tries: readonly Attempt[] }) {
  return (
    <section>
      <h3>Attempts</h3>
      <ol className={styles["attempts"]}>
        {tries.map(({ n, at, value }) => (
          <li key={n}>
            <header>
              <span>
                {value.attempts}. {value.state === "retrying" ? "failed" : value.state}
                {value.timing && `, ${durationText(value.timing.elapsedMs)}`}
              </span>
              <span>{instantText(value.timing?.startedAt ?? at)}</span>
            </header>
            {value.state !== "completed" && <ErrorLine error={value.error} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

function ErrorLine({ error }: { readonly error: WireError }) {
  return (
    <details>
      <summary>
        {error.code ?? error.name}: {error.message.slice(0, 200)}
      </summary>
      <ErrorText error={error} />
    </details>
  );
}

/** Of a task only the hash of its input is recorded; a child is a run, which has its input. */
function ChildInput({ id }: { readonly id: string }) {
  const { data } = useQuery(runQuery(id));
  if (data?.input === undefined) return null;
  return (
    <section>
      <h3>Input</h3>
      <Payload value={data.input} what="the input" />
    </section>
  );
}
