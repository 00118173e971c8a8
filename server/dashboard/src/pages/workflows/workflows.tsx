import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, TriangleAlert, Workflow } from "lucide-react";
import { workflowsQuery } from "../../api/queries.js";
import { ButtonLink } from "../../parts/button.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { PageHead, Panel } from "../../parts/panel.js";
import table from "../../parts/table.module.css";
import { countText, plural } from "../../parts/text.js";

export function Workflows() {
  const { data, error, refetch } = useQuery(workflowsQuery);
  return (
    <>
      <PageHead
        title="Workflows"
        actions={
          <ButtonLink kind="primary" to="/start">
            Start a run
          </ButtonLink>
        }
      >
        Every version that is served, and every one that still has runs.
      </PageHead>
      {error && !data ? (
        <Problem error={error} again={() => void refetch()} />
      ) : (
        <Panel flush>{data ? <Versions workflows={data.workflows} /> : <Loading what="Loading workflows" />}</Panel>
      )}
    </>
  );
}

interface Version {
  readonly name: string;
  readonly version: string;
  readonly endpoint?: string | undefined;
  readonly workers: number;
  readonly events: readonly string[];
  readonly live: number;
  readonly waiting: number;
}

function Versions({ workflows }: { readonly workflows: readonly Version[] }) {
  if (workflows.length === 0) {
    return (
      <Empty icon={Workflow} title="No workflow is known yet" command="aiki init">
        Write a first workflow and its route into your app, then start <code>aiki dev</code>, which finds it:
      </Empty>
    );
  }
  return (
    <DataTable
      label="Versions"
      columns={COLUMNS}
      rows={workflows}
      keyOf={({ name, version }) => `${name}@${version}`}
    />
  );
}

const COLUMNS: readonly Column<Version>[] = [
  {
    head: "Workflow",
    cell: ({ name, version }) => (
      <Link to="/workflows/version" search={{ name, version }} className={table["name"]} title={name}>
        {name}
      </Link>
    ),
  },
  { head: "Version", cell: ({ version }) => version },
  { head: "Served by", cell: (one) => <ServedBy one={one} /> },
  { head: "Events", cell: ({ events }) => events.join(", ") || <small>none</small> },
  {
    head: "Live runs",
    number: true,
    cell: ({ name, version, live }) => (
      <Link to="/runs" search={{ workflow: name, version }}>
        {countText(live)}
      </Link>
    ),
  },
  {
    head: "Waiting for somebody",
    number: true,
    cell: ({ waiting }) =>
      waiting > 0 ? <span className={table["warn"]}>{countText(waiting)}</span> : <small>0</small>,
  },
];

export function ServedBy({ one }: { readonly one: Pick<Version, "endpoint" | "workers"> }) {
  const by = [one.endpoint, one.workers > 0 ? plural(one.workers, "worker") : undefined].filter(Boolean).join(", ");
  return by === "" ? (
    <span className={table["warn"]}>
      <TriangleAlert size={14} aria-hidden /> nobody
    </span>
  ) : (
    <span className={table["good"]}>
      <CircleCheck size={14} aria-hidden /> {by}
    </span>
  );
}
