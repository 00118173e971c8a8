import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { deleteSchedule } from "../../api/actions.js";
import { scheduleQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Confirm } from "../../parts/dialog.js";
import { Ident, RunLink } from "../../parts/ident.js";
import { Loading, Problem } from "../../parts/notice.js";
import { Facts, PageHead, Panel } from "../../parts/panel.js";
import { Payload } from "../../parts/payload.js";
import { Status } from "../../parts/status.js";
import { countText, instantText, shortId } from "../../parts/text.js";
import { Ago, Until } from "../../parts/time.js";
import { useTitle } from "../../parts/title.js";
import styles from "../run/run.module.css";
import { ScheduleButtons } from "./schedule-buttons.js";
import { recurrenceText } from "./schedule-text.js";

const FIRES: readonly Column<number>[] = [
  { head: "At", cell: (at) => instantText(at) },
  { head: "That is", number: true, cell: (at) => <Until at={at} /> },
];

export function SchedulePage() {
  const { scheduleId } = useParams({ from: "/inside/schedules/$scheduleId" });
  const { data, error, refetch } = useQuery(scheduleQuery(scheduleId));
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  useTitle(data && (data.reference ?? shortId(data.id)));
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading what="Loading the schedule" />;
  const remove = async () => {
    await deleteSchedule(scheduleId);
    await navigate({ to: "/schedules" });
    await queries.invalidateQueries({ queryKey: ["schedules"] });
  };
  return (
    <>
      <PageHead
        title={
          <>
            {data.reference ?? shortId(data.id)} <Status status={data.status} size="large" />
          </>
        }
        actions={
          <>
            <Button onClick={() => setDeleting(true)}>Delete …</Button>
            <ScheduleButtons schedule={data} primary />
          </>
        }
      />
      <div className={styles["stack"]}>
        <Panel>
          <Facts
            of={[
              ["Id", <Ident key="id" value={data.id} what="the schedule's id" />],
              [
                "Workflow",
                <Link key="workflow" to="/workflows/version" search={{ name: data.workflow, version: data.version }}>
                  {data.workflow} {data.version}
                </Link>,
              ],
              ["When", <code key="when">{recurrenceText(data.recurrence)}</code>],
              ["Overlap", data.overlapPolicy.replace("_", " ")],
              ["Missed fires", data.catchUp === "all" ? "one run for each" : "one run for all"],
              [
                "Started",
                <Link key="started" to="/runs" search={{ schedule: data.id }}>
                  {countText(data.started)}
                </Link>,
              ],
              ["Skipped", data.skipped > 0 ? countText(data.skipped) : undefined],
              ["Last", data.lastAt === undefined ? undefined : <Ago key="last" at={data.lastAt} />],
              ["Last run", data.lastRun && <RunLink key="run" id={data.lastRun} />],
            ].map(([name, value]) => [name as string, value === "" ? undefined : value] as const)}
          />
        </Panel>
        <div className={styles["two"]}>
          <Panel title="Next fires" flush>
            {data.upcoming.length > 0 ? (
              <DataTable label="Next fires" columns={FIRES} rows={data.upcoming} keyOf={String} />
            ) : (
              <p className={styles["none"]}>
                {data.status === "paused" ? "None while it is paused." : "It does not fire any more."}
              </p>
            )}
          </Panel>
          <Panel title="Input">
            <Payload value={data.input} what="the input" />
          </Panel>
        </div>
      </div>
      <Confirm
        open={deleting}
        close={() => setDeleting(false)}
        title="Delete this schedule?"
        text="It starts nothing any more. Runs that it has started go on."
        label="Delete"
        danger
        act={remove}
      />
    </>
  );
}
