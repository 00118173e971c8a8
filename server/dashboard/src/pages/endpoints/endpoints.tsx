import type { Endpoint, EndpointStats } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { RadioTower } from "lucide-react";
import { useState } from "react";
import { attentionQuery, endpointsQuery, statsQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
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
        <Panel title="Registered" flush>
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
  return (
    <div className={table["scroll"]}>
      <table className={table["table"]}>
        <thead>
          <tr>
            <th>Health</th>
            <th>Name</th>
            <th>URL</th>
            <th>Serves</th>
            <th className={table["number"]}>Pushes</th>
            <th className={table["number"]}>Errors</th>
            <th className={table["number"]}>Median</th>
            <th className={table["number"]}>95%</th>
          </tr>
        </thead>
        <tbody>
          {endpoints.map((endpoint) => (
            <Row key={endpoint.id} endpoint={endpoint} stats={stats.find(({ id }) => id === endpoint.id)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ endpoint, stats }: { readonly endpoint: Endpoint; readonly stats: EndpointStats | undefined }) {
  const { count = 0, failed = 0, latency } = stats?.pushes ?? {};
  return (
    <tr>
      <td>
        <Status status={endpoint.status} size="bare" />
      </td>
      <td>
        <Link to="/endpoints/$endpointId" params={{ endpointId: endpoint.id }} className={table["name"]}>
          {endpoint.name}
        </Link>
      </td>
      <td title={endpoint.url}>{endpoint.url}</td>
      <td>{plural(endpoint.workflows.length, "version")}</td>
      <td className={table["number"]}>{countText(count)}</td>
      <td className={table["number"]}>
        {count === 0 ? (
          <small>–</small>
        ) : (
          <span className={failed > 0 ? table["bad"] : ""}>{percentText(failed / count)}</span>
        )}
      </td>
      <td className={table["number"]}>{latency ? durationText(latency.p50Ms) : <small>–</small>}</td>
      <td className={table["number"]}>{latency ? durationText(latency.p95Ms) : <small>–</small>}</td>
    </tr>
  );
}

/** Versions with runs that nobody serves: they wait, and are never run on another. */
function Unserved() {
  const { data } = useQuery(attentionQuery);
  if (!data || data.unserved.length === 0) return null;
  return (
    <div className="spaced">
      <Panel title="Runs that wait for a version nobody serves" flush>
        <div className={table["scroll"]}>
          <table className={table["table"]}>
            <tbody>
              {data.unserved.map(({ workflow, version, count, more }) => (
                <tr key={`${workflow}@${version}`}>
                  <td>
                    <Link to="/workflows/$name/$version" params={{ name: workflow, version }} className={table["name"]}>
                      {workflow}
                    </Link>{" "}
                    <small>{version}</small>
                  </td>
                  <td className={table["number"]}>
                    <Link to="/runs" search={{ workflow, version, status: "queued,suspended" }}>
                      {more ? "more than " : ""}
                      {plural(count, "run")}
                    </Link>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </div>
  );
}
