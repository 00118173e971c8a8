import type { Endpoint } from "@aikirun/protocol";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { RefreshCw } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { refreshEndpoint, removeEndpoint } from "../../api/actions.js";
import { endpointQuery, endpointStatsQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Confirm } from "../../parts/dialog.js";
import { Ident } from "../../parts/ident.js";
import { Loading, Problem } from "../../parts/notice.js";
import { Facts, PageHead, Panel } from "../../parts/panel.js";
import { RangeSwitch, rangeOf } from "../../parts/range.js";
import { Status } from "../../parts/status.js";
import table from "../../parts/table.module.css";
import { countText, durationText, percentText, plural } from "../../parts/text.js";
import { Ago } from "../../parts/time.js";
import { useTitle } from "../../parts/title.js";
import { say, sayError } from "../../parts/toast.js";
import styles from "../run/run.module.css";

const Chart = lazy(() => import("../../parts/chart.js").then(({ Chart }) => ({ default: Chart })));

const SERVES: readonly Column<Endpoint["workflows"][number]>[] = [
  {
    head: "Workflow",
    cell: ({ name, version }) => (
      <Link to="/workflows/version" search={{ name, version }} className={table["name"]} title={name}>
        {name}
      </Link>
    ),
  },
  { head: "Version", number: true, cell: ({ version }) => version },
];

export function EndpointPage() {
  const { endpointId } = useParams({ from: "/inside/endpoints/$endpointId" });
  const { data, error, refetch } = useQuery(endpointQuery(endpointId));
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [removing, setRemoving] = useState(false);
  useTitle(data?.name);
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading what="Loading the endpoint" />;
  const refresh = async () => {
    try {
      const { workflows } = await refreshEndpoint(endpointId);
      say("Asked again", `It serves ${plural(workflows.length, "version")}.`);
    } catch (thrown) {
      sayError(thrown);
    }
    await queries.invalidateQueries({ queryKey: ["endpoints"] });
  };
  const remove = async () => {
    await removeEndpoint(endpointId);
    await navigate({ to: "/endpoints" });
    await queries.invalidateQueries({ queryKey: ["endpoints"] });
  };
  return (
    <>
      <PageHead
        title={
          <>
            {data.name} <Status status={data.status} size="large" />
          </>
        }
        actions={
          <>
            <Button onClick={() => setRemoving(true)}>Remove …</Button>
            <Button kind="primary" onClick={() => void refresh()}>
              <RefreshCw size={14} aria-hidden /> Ask again what it serves
            </Button>
          </>
        }
      >
        <Ident value={data.url} what="the URL" full />
      </PageHead>
      <div className={styles["stack"]}>
        {data.trouble && <Problem error={new Error(`${data.trouble.code}: ${data.trouble.message}`)} />}
        <Panel>
          <Facts
            of={[
              ["SDK", data.sdk],
              ["Asked", <Ago key="asked" at={data.describedAt} />],
              ["Registered", <Ago key="registered" at={data.createdAt} />],
              ["At a time", plural(data.concurrency, "push", "pushes")],
              ["One invocation", `at most ${durationText(data.maxDurationMs)}`],
              ["Headers", data.headerNames.length > 0 ? data.headerNames.join(", ") : undefined],
            ]}
          />
        </Panel>
        <Pushes endpointId={endpointId} />
        <Panel title="Serves" flush>
          <DataTable
            label="Serves"
            columns={SERVES}
            rows={data.workflows}
            keyOf={({ name, version }) => `${name}@${version}`}
          />
        </Panel>
      </div>
      <Confirm
        open={removing}
        close={() => setRemoving(false)}
        title={`Remove ${data.name}?`}
        text="Nothing is pushed to it any more. Its runs wait until another endpoint serves their versions."
        label="Remove"
        danger
        act={remove}
      />
    </>
  );
}

function Pushes({ endpointId }: { readonly endpointId: string }) {
  const { range } = useSearch({ from: "/inside/endpoints/$endpointId" });
  const navigate = useNavigate({ from: "/endpoints/$endpointId" });
  const { data, error, refetch } = useQuery(endpointStatsQuery(endpointId, rangeOf(range)));
  const choose = (next: string) => void navigate({ search: { range: next }, replace: true });
  return (
    <Panel title="Pushes" aside={<RangeSwitch value={range} choose={choose} />}>
      {error && !data && <Problem error={error} again={() => void refetch()} />}
      {data && (
        <div className={styles["stack"]}>
          <Facts
            of={[
              ["Pushes", countText(data.total.count)],
              ["Errors", data.total.count === 0 ? "–" : percentText(data.total.failed / data.total.count)],
              ["Median", data.total.latency ? durationText(data.total.latency.p50Ms) : "–"],
              ["95%", data.total.latency ? durationText(data.total.latency.p95Ms) : "–"],
              ["99%", data.total.latency ? durationText(data.total.latency.p99Ms) : "–"],
            ]}
          />
          <Suspense fallback={<Loading rows={4} what="Loading the chart" />}>
            <Chart
              label="Latency of pushes"
              at={data.points.map(({ at }) => at)}
              unit="ms"
              series={[
                {
                  name: "Median",
                  colour: "--accent",
                  values: data.points.map(({ pushes }) => pushes.latency?.p50Ms ?? null),
                },
                {
                  name: "95%",
                  colour: "--suspended",
                  values: data.points.map(({ pushes }) => pushes.latency?.p95Ms ?? null),
                },
              ]}
            />
            <Chart
              label="Pushes and errors"
              at={data.points.map(({ at }) => at)}
              unit="count"
              series={[
                { name: "Pushes", colour: "--accent", values: data.points.map(({ pushes }) => pushes.count) },
                { name: "Errors", colour: "--failed", values: data.points.map(({ pushes }) => pushes.failed) },
              ]}
            />
          </Suspense>
        </div>
      )}
    </Panel>
  );
}
