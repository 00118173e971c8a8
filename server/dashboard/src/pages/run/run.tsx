import type { Run } from "@aikirun/protocol";
import { Tabs } from "@base-ui/react/tabs";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { type Link as Connection, hasEnded, useRunRecords } from "../../api/follow-run.js";
import { runQuery } from "../../api/queries.js";
import { Ident, RunLink } from "../../parts/ident.js";
import { Loading, Problem } from "../../parts/notice.js";
import { Facts, Panel } from "../../parts/panel.js";
import { ErrorText, Payload } from "../../parts/payload.js";
import { Status } from "../../parts/status.js";
import { countText } from "../../parts/text.js";
import { Ago, Elapsed, Until } from "../../parts/time.js";
import { useTitle } from "../../parts/title.js";
import { Children } from "./children.js";
import { History } from "./history.js";
import { Pushes } from "./pushes.js";
import styles from "./run.module.css";
import { RunActions } from "./run-actions.js";
import { Timeline } from "./timeline.js";
import { timelineOf } from "./timeline-model.js";
import { Trouble } from "./trouble.js";
import { Waits } from "./waits.js";

/** A failed run can be opened again by somebody else. */
const ENDED_AGAIN_MS = 5_000;

export function RunPage() {
  const { runId } = useParams({ from: "/inside/runs/$runId" });
  const {
    data: run,
    error,
    refetch,
  } = useQuery({
    ...runQuery(runId),
    refetchInterval: ({ state }) => (state.data?.status === "failed" ? ENDED_AGAIN_MS : false),
  });
  if (error && !run) return <Problem error={error} again={() => void refetch()} />;
  if (!run) return <Loading rows={9} what="Loading the run" />;
  return <OneRun key={runId} run={run} />;
}

function OneRun({ run }: { readonly run: Run }) {
  const { records, link } = useRunRecords(run.id, hasEnded(run));
  const timeline = useMemo(() => timelineOf(records), [records]);
  useTitle(`${run.workflow} ${run.status}`);
  const arriving = records.length === 0 && run.records > 0;
  const children = timeline.entries.filter(({ kind }) => kind === "child").length;
  return (
    <>
      <header className={styles["head"]}>
        <div className={styles["title"]}>
          <h1>
            {run.workflow} <small>{run.version}</small> <Status status={run.status} size="large" />
          </h1>
          <div>
            <Ident value={run.id} what="the run's id" full />
            <LinkState link={link} />
          </div>
        </div>
        <RunActions run={run} />
      </header>
      <div className={styles["stack"]}>
        <Panel>
          <About run={run} />
          {run.waitsFor.length > 0 && <Waits run={run} />}
        </Panel>
        {run.trouble && <Trouble trouble={run.trouble} stalled={run.status === "stalled"} />}
        {run.error && (
          <Panel title={run.failedTask ? `Failed in ${taskName(run.failedTask)}` : "Failed"}>
            <ErrorText error={run.error} />
          </Panel>
        )}
        <Sections run={run} counts={{ children, records: records.length }}>
          {{
            timeline: <Timeline run={run} timeline={timeline} arriving={arriving} />,
            data: <Data run={run} />,
            history: <History records={records} arriving={arriving} />,
            children: <Children run={run} />,
            pushes: <Pushes run={run} />,
          }}
        </Sections>
      </div>
    </>
  );
}

const TABS = ["timeline", "data", "history", "children", "pushes"] as const;
type Tab = (typeof TABS)[number];
const TAB_NAMES: Readonly<Record<Tab, string>> = {
  timeline: "Timeline",
  data: "Input and output",
  history: "History",
  children: "Children",
  pushes: "Pushes",
};

function Sections({
  counts,
  children,
}: {
  readonly run: Run;
  readonly counts: { readonly children: number; readonly records: number };
  readonly children: Readonly<Record<Tab, ReactNode>>;
}) {
  const { tab = "timeline" } = useSearch({ from: "/inside/runs/$runId" });
  const navigate = useNavigate({ from: "/runs/$runId" });
  const shown = TABS.find((one) => one === tab) ?? "timeline";
  const list = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another tab is another place in a list that may be cut off.
  useEffect(() => {
    void list.current?.querySelector("[data-active]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [shown]);
  const numbers: Partial<Record<Tab, number>> = { history: counts.records, children: counts.children };
  return (
    <Tabs.Root
      value={shown}
      onValueChange={(next: Tab) =>
        void navigate({ search: next === "timeline" ? {} : { tab: next }, replace: true, resetScroll: false })
      }
    >
      <Tabs.List ref={list} className={styles["tabs"]} aria-label="Parts of the run">
        {TABS.map((one) => (
          <Tabs.Tab key={one} value={one}>
            {TAB_NAMES[one]}
            {numbers[one] !== undefined && numbers[one] > 0 && <small>{countText(numbers[one])}</small>}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {TABS.map((one) => (
        <Tabs.Panel key={one} value={one}>
          {children[one]}
        </Tabs.Panel>
      ))}
    </Tabs.Root>
  );
}

const LINKS: Readonly<Record<Connection, string>> = {
  connecting: "Connecting …",
  live: "Live",
  lost: "Connecting again …",
  over: "",
};

function LinkState({ link }: { readonly link: Connection }) {
  return (
    <span className={styles["link"]} data-link={link}>
      {LINKS[link]}
    </span>
  );
}

function About({ run }: { readonly run: Run }) {
  const starts = run.status === "scheduled" ? run.nextAt : undefined;
  return (
    <Facts
      of={[
        ["Created", <Ago key="created" at={run.createdAt} />],
        ["Starts", starts !== undefined && <Until key="starts" at={starts} />],
        [
          run.endedAt === undefined ? "Goes on for" : "Took",
          <Elapsed key="took" from={run.createdAt} to={run.endedAt} />,
        ],
        ["Attempt", run.runAttempt > 1 ? run.runAttempt : undefined],
        ["Records", countText(run.records)],
        ["Reference", run.reference && <Ident key="reference" value={run.reference} what="the reference" full />],
        ["Parent", run.parent && <RunLink key="parent" id={run.parent} />],
        ["Schedule", run.schedule && <ScheduleLink key="schedule" id={run.schedule} />],
        ["Reason", run.reason && <span className={styles["reason"]}>{run.reason}</span>],
      ].map(([name, value]) => [name as string, value === false || value === "" ? undefined : value] as const)}
    />
  );
}

function ScheduleLink({ id }: { readonly id: string }) {
  return (
    <Link to="/schedules/$scheduleId" params={{ scheduleId: id }} title={id}>
      {id.slice(0, 9)}…{id.slice(-6)}
    </Link>
  );
}

function Data({ run }: { readonly run: Run }) {
  return (
    <div className={styles["two"]}>
      <Panel title="Input">
        <Payload value={run.input} what="the input" />
      </Panel>
      <Panel title="Output">
        <Payload value={run.output} what="the output" />
      </Panel>
    </div>
  );
}

function taskName(key: string): string {
  return /^task:(.+):[^:]+#\d+$/s.exec(key)?.[1] ?? key;
}
