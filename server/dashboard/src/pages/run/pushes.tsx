import type { Run, RunPush } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, Send } from "lucide-react";
import { hasEnded } from "../../api/follow-run.js";
import { pushesQuery } from "../../api/queries.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import table from "../../parts/table.module.css";
import { durationText } from "../../parts/text.js";
import { Ago } from "../../parts/time.js";

const COLUMNS: readonly Column<RunPush>[] = [
  { head: "Outcome", wide: true, cell: (push) => <Outcome push={push} /> },
  { head: "Endpoint", cell: ({ endpoint }) => <Receiver endpoint={endpoint} /> },
  { head: "Started", cell: ({ startedAt }) => <Ago at={startedAt} /> },
  { head: "Took", number: true, cell: ({ durationMs }) => durationText(durationMs) },
  { head: "Delivery", number: true, cell: ({ delivery }) => delivery },
  { head: "Checkpoints", number: true, cell: ({ checkpoints }) => checkpoints },
  {
    head: "Fence",
    number: true,
    cell: ({ gen, seq }) => (
      <span title="generation, sequence">
        {gen}, {seq}
      </span>
    ),
  },
];

/** Every signed delivery of this run that is over, the newest first. */
export function Pushes({ run }: { readonly run: Run }) {
  const { data, error, refetch } = useQuery(pushesQuery(run.id, !hasEnded(run)));
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading rows={4} what="Loading pushes" />;
  return (
    <Panel title="Pushes" aside={<small className={table["note"]}>newest first, the last 100</small>} flush>
      {data.pushes.length === 0 ? (
        <Empty icon={Send} title="No push of this run is over yet" command="aiki endpoints list">
          A run is pushed to the endpoint that serves its version. See who serves what:
        </Empty>
      ) : (
        <DataTable label="Pushes" columns={COLUMNS} rows={data.pushes} keyOf={({ id }) => id} />
      )}
    </Panel>
  );
}

function Outcome({ push: { outcome, message } }: { readonly push: RunPush }) {
  const done = outcome === "committed";
  return (
    <>
      <span className={done ? table["good"] : table["bad"]}>
        {done ? <CircleCheck size={14} aria-hidden /> : <CircleX size={14} aria-hidden />}
        {outcome}
      </span>
      {message && <p className={table["note"]}>{message}</p>}
    </>
  );
}

function Receiver({ endpoint: { id, name, url } }: Pick<RunPush, "endpoint">) {
  if (name === undefined) return <span title={id}>{id.startsWith("worker_") ? "a worker" : "removed since"}</span>;
  return (
    <Link to="/endpoints/$endpointId" params={{ endpointId: id }} title={url}>
      {name}
    </Link>
  );
}
