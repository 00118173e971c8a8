import type { Run } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Split } from "lucide-react";
import { childrenQuery } from "../../api/queries.js";
import { Ident } from "../../parts/ident.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import { Status } from "../../parts/status.js";
import table from "../../parts/table.module.css";
import { Ago, Elapsed } from "../../parts/time.js";

const MOST = 500;

export function Children({ run }: { readonly run: Run }) {
  const { data, error, refetch } = useQuery(childrenQuery(run.id));
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading rows={3} what="Loading children" />;
  if (data.runs.length === 0) {
    return (
      <Panel title="Children" flush>
        <Empty icon={Split} title="This run has started no children">
          A workflow starts one with <code>other.startAsChild(run, input)</code>.
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title="Children"
      flush
      aside={
        data.runs.length === MOST ? (
          <Link to="/runs" search={{ parent: run.id }}>
            All of them
          </Link>
        ) : undefined
      }
    >
      <div className={table["scroll"]}>
        <table className={table["table"]}>
          <thead>
            <tr>
              <th>Status</th>
              <th>Workflow</th>
              <th>Run</th>
              <th>Created</th>
              <th className={table["number"]}>Took</th>
            </tr>
          </thead>
          <tbody>
            {data.runs.map((child) => (
              <tr key={child.id}>
                <td>
                  <Status status={child.status} size="bare" />
                </td>
                <td>
                  <Link to="/runs/$runId" params={{ runId: child.id }}>
                    {child.workflow}
                  </Link>{" "}
                  <small>{child.version}</small>
                </td>
                <td>
                  <Ident value={child.id} what="the run's id" />
                </td>
                <td>
                  <Ago at={child.createdAt} />
                </td>
                <td className={table["number"]}>
                  <Elapsed from={child.createdAt} to={child.endedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
