import type { Run, RunSummary } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Split } from "lucide-react";
import { childrenQuery } from "../../api/queries.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Ident } from "../../parts/ident.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import { Status } from "../../parts/status.js";
import { Ago, Elapsed } from "../../parts/time.js";

const MOST = 500;

const COLUMNS: readonly Column<RunSummary>[] = [
  {
    head: "Workflow",
    cell: ({ id, workflow, version }) => (
      <span>
        <Link to="/runs/$runId" params={{ runId: id }}>
          {workflow}
        </Link>{" "}
        <small>{version}</small>
      </span>
    ),
  },
  { head: "Status", cell: ({ status }) => <Status status={status} size="bare" /> },
  { head: "Run", cell: ({ id }) => <Ident value={id} what="the run's id" /> },
  { head: "Created", cell: ({ createdAt }) => <Ago at={createdAt} /> },
  { head: "Took", number: true, cell: ({ createdAt, endedAt }) => <Elapsed from={createdAt} to={endedAt} /> },
];

export function Children({ run }: { readonly run: Run }) {
  const { data, error, refetch } = useQuery(childrenQuery(run.id));
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading rows={3} what="Loading children" />;
  const all = (
    <Link to="/runs" search={{ parent: run.id }}>
      All of them
    </Link>
  );
  return (
    <Panel title="Children" flush aside={data.runs.length === MOST ? all : undefined}>
      {data.runs.length === 0 ? (
        <Empty icon={Split} title="This run has started no children">
          A workflow starts one with <code>other.startAsChild(run, input)</code>.
        </Empty>
      ) : (
        <DataTable label="Children" columns={COLUMNS} rows={data.runs} keyOf={({ id }) => id} />
      )}
    </Panel>
  );
}
