import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, TriangleAlert, Workflow } from "lucide-react";
import { workflowsQuery } from "../../api/queries.js";
import { ButtonLink } from "../../parts/button.js";
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
        <Panel title="Versions" flush>
          {data ? <Versions workflows={data.workflows} /> : <Loading what="Loading workflows" />}
        </Panel>
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
    <div className={table["scroll"]}>
      <table className={table["table"]}>
        <thead>
          <tr>
            <th>Workflow</th>
            <th>Version</th>
            <th>Served by</th>
            <th>Events</th>
            <th className={table["number"]}>Live runs</th>
            <th className={table["number"]}>Waiting for somebody</th>
          </tr>
        </thead>
        <tbody>
          {workflows.map((one) => (
            <tr key={`${one.name}@${one.version}`}>
              <td>
                <Link
                  to="/workflows/$name/$version"
                  params={{ name: one.name, version: one.version }}
                  className={table["name"]}
                >
                  {one.name}
                </Link>
              </td>
              <td>{one.version}</td>
              <td>
                <ServedBy one={one} />
              </td>
              <td title={one.events.join(", ")}>{one.events.join(", ") || <small>none</small>}</td>
              <td className={table["number"]}>
                <Link to="/runs" search={{ workflow: one.name, version: one.version }}>
                  {countText(one.live)}
                </Link>
              </td>
              <td className={table["number"]}>
                {one.waiting > 0 ? <span className={table["warn"]}>{countText(one.waiting)}</span> : <small>0</small>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

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
