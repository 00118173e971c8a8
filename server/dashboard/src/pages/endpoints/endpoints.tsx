import type { Attention, Endpoint, EndpointStats, PushStats } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { RadioTower } from "lucide-react";
import { useState } from "react";
import { attentionQuery, endpointsQuery, statsQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { PageHead, Panel } from "../../parts/panel.js";
import { Status } from "../../parts/status.js";
import table from "../../parts/table.module.css";
import { countText, durationText, percentText, plural } from "../../parts/text.js";
import { Register } from "./register.js";

const HOUR_MS = 3_600_000;

export function Endpoints() {
  const { data, error, refetch } = useQuery(endpointsQuery);
  const { data: stats } = useQuery(statsQuery(HOUR_MS));
  const [open, setOpen] = useState(false);
  return (
    <>
      <PageHead
        title="Endpoints"
        actions={
          <Button kind="primary" onClick={() => setOpen(true)}>
            Register …
          </Button>
        }
      >
        The URLs that work is pushed to. Latency and errors are those of the last hour.
      </PageHead>
      <Unserved />
      {error && !data ? (
        <Problem error={error} again={() => void refetch()} />
      ) : (
        <Panel flush>
          {data ? (
            <List endpoints={data.endpoints} stats={stats?.endpoints ?? []} />
          ) : (
            <Loading what="Loading endpoints" />
          )}
        </Panel>
      )}
      {open && <Register close={() => setOpen(false)} />}
    </>
  );
}

function List({
  endpoints,
  stats,
}: {
  readonly endpoints: readonly Endpoint[];
  readonly stats: readonly EndpointStats[];
}) {
  if (endpoints.length === 0) {
    return (
      <Empty
        icon={RadioTower}
        title="No endpoint is registered"
        command="aiki endpoints register https://app.example.com/api/aiki"
      >
        An endpoint is the route in your app that serves workflows. <code>aiki dev</code> finds those on this machine.
      </Empty>
    );
  }
  const rows = endpoints.map((endpoint) => ({ endpoint, pushes: stats.find(({ id }) => id === endpoint.id)?.pushes }));
  return <DataTable label="Registered" columns={COLUMNS} rows={rows} keyOf={({ endpoint }) => endpoint.id} />;
}

interface Row {
  readonly endpoint: Endpoint;
  /** Those of the last hour. */
  readonly pushes: PushStats | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  {
    head: "Name",
    cell: ({ endpoint: { id, name } }) => (
      <Link to="/endpoints/$endpointId" params={{ endpointId: id }} className={table["name"]} title={name}>
        {name}
      </Link>
    ),
  },
  { head: "Health", cell: ({ endpoint }) => <Status status={endpoint.status} size="bare" /> },
  { head: "URL", cell: ({ endpoint }) => <span title={endpoint.url}>{endpoint.url}</span> },
  { head: "Serves", cell: ({ endpoint }) => plural(endpoint.workflows.length, "version") },
  { head: "Pushes", number: true, cell: ({ pushes }) => countText(pushes?.count ?? 0) },
  { head: "Errors", number: true, cell: ({ pushes }) => <Errors pushes={pushes} /> },
  { head: "Median", number: true, cell: ({ pushes }) => latencyText(pushes?.latency?.p50Ms) },
  { head: "95%", number: true, cell: ({ pushes }) => latencyText(pushes?.latency?.p95Ms) },
];

function Errors({ pushes }: Pick<Row, "pushes">) {
  if (!pushes || pushes.count === 0) return <small>–</small>;
  const { count, failed } = pushes;
  return <span className={failed > 0 ? table["bad"] : undefined}>{percentText(failed / count)}</span>;
}

function latencyText(ms: number | undefined): string {
  return ms === undefined ? "–" : durationText(ms);
}

const UNSERVED: readonly Column<Attention["unserved"][number]>[] = [
  {
    head: "Workflow",
    cell: ({ workflow, version }) => (
      <span>
        <Link to="/workflows/version" search={{ name: workflow, version }} className={table["name"]}>
          {workflow}
        </Link>{" "}
        <small>{version}</small>
      </span>
    ),
  },
  {
    head: "Waiting",
    number: true,
    cell: ({ workflow, version, count, more }) => (
      <Link to="/runs" search={{ workflow, version, status: "queued,suspended" }}>
        {more ? "more than " : ""}
        {plural(count, "run")}
      </Link>
    ),
  },
];

/** Versions with runs that nobody serves: they wait, and are never run on another. */
function Unserved() {
  const { data } = useQuery(attentionQuery);
  if (!data || data.unserved.length === 0) return null;
  return (
    <div className="spaced">
      <Panel title="Runs that wait for a version nobody serves" flush>
        <DataTable
          label="Versions that nobody serves"
          columns={UNSERVED}
          rows={data.unserved}
          keyOf={({ workflow, version }) => `${workflow}@${version}`}
        />
      </Panel>
    </div>
  );
}
