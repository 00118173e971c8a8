import type { Run, RunPush } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, Send } from "lucide-react";
import { hasEnded } from "../../api/follow-run.js";
import { pushesQuery } from "../../api/queries.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import table from "../../parts/table.module.css";
import { durationText } from "../../parts/text.js";
import { Ago } from "../../parts/time.js";

/** Every signed delivery of this run that is over, the newest first. */
export function Pushes({ run }: { readonly run: Run }) {
  const { data, error, refetch } = useQuery(pushesQuery(run.id, !hasEnded(run)));
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading rows={4} what="Loading pushes" />;
  if (data.pushes.length === 0) {
    return (
      <Panel title="Pushes" flush>
        <Empty icon={Send} title="No push of this run is over yet" command="aiki endpoints list">
          A run is pushed to the endpoint that serves its version. See who serves what:
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel title="Pushes" aside={<small>the last 100, newest first</small>} flush>
      <div className={table["scroll"]}>
        <table className={table["table"]}>
          <thead>
            <tr>
              <th>Outcome</th>
              <th>Endpoint</th>
              <th>Started</th>
              <th className={table["number"]}>Took</th>
              <th className={table["number"]}>Delivery</th>
              <th className={table["number"]}>Checkpoints</th>
              <th className={table["number"]}>Fence</th>
            </tr>
          </thead>
          <tbody>
            {data.pushes.map((push) => (
              <Row key={push.id} push={push} />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Row({ push }: { readonly push: RunPush }) {
  const done = push.outcome === "committed";
  return (
    <tr>
      <td className={table["wide"]}>
        <span className={done ? table["good"] : table["bad"]}>
          {done ? <CircleCheck size={14} aria-hidden /> : <CircleX size={14} aria-hidden />}
          {push.outcome}
        </span>
        {push.message && <p className={table["note"]}>{push.message}</p>}
      </td>
      <td>
        {push.endpoint.name !== undefined ? (
          <Link to="/endpoints/$endpointId" params={{ endpointId: push.endpoint.id }} title={push.endpoint.url}>
            {push.endpoint.name}
          </Link>
        ) : (
          <span title={push.endpoint.id}>{push.endpoint.id.startsWith("worker_") ? "a worker" : "removed since"}</span>
        )}
      </td>
      <td>
        <Ago at={push.startedAt} />
      </td>
      <td className={table["number"]}>{durationText(push.durationMs)}</td>
      <td className={table["number"]}>{push.delivery}</td>
      <td className={table["number"]}>{push.checkpoints}</td>
      <td className={table["number"]} title="generation, sequence">
        {push.gen}, {push.seq}
      </td>
    </tr>
  );
}
