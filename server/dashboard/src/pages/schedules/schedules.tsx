import type { ScheduleSummary } from "@aikirun/protocol";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CalendarClock } from "lucide-react";
import { useState } from "react";
import { schedulesQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
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
        <Panel title="All schedules" flush>
          {schedules ? <List schedules={schedules} /> : <Loading what="Loading schedules" />}
        </Panel>
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
  return (
    <div className={table["scroll"]}>
      <table className={table["table"]}>
        <thead>
          <tr>
            <th>Status</th>
            <th>Schedule</th>
            <th>Workflow</th>
            <th>When</th>
            <th>Next</th>
            <th>Last</th>
            <th className={table["number"]}>Started</th>
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {schedules.map((one) => (
            <tr key={one.id}>
              <td>
                <Status status={one.status} size="bare" />
              </td>
              <td>
                <Link to="/schedules/$scheduleId" params={{ scheduleId: one.id }} className={table["name"]}>
                  {one.reference ?? shortId(one.id)}
                </Link>
              </td>
              <td>
                {one.workflow} <small>{one.version}</small>
              </td>
              <td>
                <code>{recurrenceText(one.recurrence)}</code>
              </td>
              <td>{one.nextAt === undefined ? <small>–</small> : <Until at={one.nextAt} />}</td>
              <td>
                {one.lastAt === undefined ? <small>never</small> : <LastFire at={one.lastAt} run={one.lastRun} />}
              </td>
              <td className={table["number"]}>
                <Link to="/runs" search={{ schedule: one.id }}>
                  {countText(one.started)}
                </Link>
              </td>
              <td>
                <ScheduleButtons schedule={one} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LastFire({ at, run }: { readonly at: number; readonly run: string | undefined }) {
  if (run === undefined) return <Ago at={at} />;
  return (
    <Link to="/runs/$runId" params={{ runId: run }}>
      <Ago at={at} />
    </Link>
  );
}
