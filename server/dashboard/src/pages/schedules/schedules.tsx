import type { ScheduleSummary } from "@aikirun/protocol";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CalendarClock } from "lucide-react";
import { useState } from "react";
import { schedulesQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { PageHead, Panel } from "../../parts/panel.js";
import { Status } from "../../parts/status.js";
import table from "../../parts/table.module.css";
import { countText, shortId } from "../../parts/text.js";
import { Ago, Until } from "../../parts/time.js";
import { CreateSchedule } from "./create-schedule.js";
import { ScheduleButtons } from "./schedule-buttons.js";
import { recurrenceText } from "./schedule-text.js";

export function Schedules() {
  const { data, error, refetch, hasNextPage, fetchNextPage } = useInfiniteQuery(schedulesQuery);
  const [open, setOpen] = useState(false);
  const schedules = data?.pages.flatMap((page) => page.schedules);
  return (
    <>
      <PageHead
        title="Schedules"
        actions={
          <Button kind="primary" onClick={() => setOpen(true)}>
            New schedule …
          </Button>
        }
      >
        Runs that start by the clock.
      </PageHead>
      {error && !data ? (
        <Problem error={error} again={() => void refetch()} />
      ) : (
        <Panel flush>{schedules ? <List schedules={schedules} /> : <Loading what="Loading schedules" />}</Panel>
      )}
      {hasNextPage && (
        <div className="centred">
          <Button onClick={() => void fetchNextPage()}>More</Button>
        </div>
      )}
      {open && <CreateSchedule close={() => setOpen(false)} />}
    </>
  );
}

function List({ schedules }: { readonly schedules: readonly ScheduleSummary[] }) {
  if (schedules.length === 0) {
    return (
      <Empty
        icon={CalendarClock}
        title="Nothing is scheduled"
        command={`aiki schedules create report --cron "0 9 * * 1" --timezone Europe/Berlin`}
      >
        A schedule starts a run of a workflow at each time that its cron expression or interval names.
      </Empty>
    );
  }
  return <DataTable label="All schedules" columns={COLUMNS} rows={schedules} keyOf={({ id }) => id} />;
}

const COLUMNS: readonly Column<ScheduleSummary>[] = [
  {
    head: "Schedule",
    cell: ({ id, reference }) => (
      <Link to="/schedules/$scheduleId" params={{ scheduleId: id }} className={table["name"]} title={reference ?? id}>
        {reference ?? shortId(id)}
      </Link>
    ),
  },
  { head: "Status", cell: ({ status }) => <Status status={status} size="bare" /> },
  {
    head: "Workflow",
    cell: ({ workflow, version }) => (
      <span>
        {workflow} <small>{version}</small>
      </span>
    ),
  },
  { head: "When", cell: ({ recurrence }) => <code>{recurrenceText(recurrence)}</code> },
  { head: "Next", cell: ({ nextAt }) => (nextAt === undefined ? <small>–</small> : <Until at={nextAt} />) },
  { head: "Last", cell: ({ lastAt, lastRun }) => <LastFire at={lastAt} run={lastRun} /> },
  {
    head: "Started",
    number: true,
    cell: ({ id, started }) => (
      <Link to="/runs" search={{ schedule: id }}>
        {countText(started)}
      </Link>
    ),
  },
  { head: "", cell: (schedule) => <ScheduleButtons schedule={schedule} /> },
];

function LastFire({ at, run }: { readonly at: number | undefined; readonly run: string | undefined }) {
  if (at === undefined) return <small>never</small>;
  if (run === undefined) return <Ago at={at} />;
  return (
    <Link to="/runs/$runId" params={{ runId: run }}>
      <Ago at={at} />
    </Link>
  );
}
