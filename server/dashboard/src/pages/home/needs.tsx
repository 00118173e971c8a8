import type { Attention } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, PlugZap, TriangleAlert } from "lucide-react";
import { attentionQuery } from "../../api/queries.js";
import { ButtonLink } from "../../parts/button.js";
import { Loading, Problem } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import { plural } from "../../parts/text.js";
import styles from "./home.module.css";

/** What does not get better by itself, before everything else. */
export function Needs() {
  const { data, error, refetch } = useQuery(attentionQuery);
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading rows={1} what="Looking for what needs a person" />;
  const { stalled, endpoints, unserved } = data;
  if (stalled.count + endpoints.length + unserved.length === 0) {
    return (
      <p className={styles["calm"]}>
        <CircleCheck size={18} aria-hidden /> Nothing needs a person: no run is stalled, every endpoint answers, every
        version is served.
      </p>
    );
  }
  return (
    <Panel title="Needs a person" flush>
      <ul className={styles["needs"]}>
        <Stalled stalled={stalled} />
        {endpoints.map((endpoint) => (
          <li key={endpoint.id} className={styles["bad"]}>
            <CircleX size={16} aria-hidden />
            <p title={endpoint.trouble?.message}>
              The endpoint{" "}
              <Link to="/endpoints/$endpointId" params={{ endpointId: endpoint.id }}>
                {endpoint.name}
              </Link>{" "}
              is {endpoint.status}
              {endpoint.trouble && (
                <>
                  : <code>{endpoint.trouble.code}</code> {endpoint.trouble.message}
                </>
              )}
            </p>
            <ButtonLink to="/endpoints/$endpointId" params={{ endpointId: endpoint.id }}>
              Look
            </ButtonLink>
          </li>
        ))}
        {unserved.map(({ workflow, version, count, more }) => (
          <li key={`${workflow}@${version}`}>
            <PlugZap size={16} aria-hidden />
            <p>
              <b>
                {more ? "More than " : ""}
                {plural(count, "run")}
              </b>{" "}
              of{" "}
              <Link to="/workflows/version" search={{ name: workflow, version }}>
                {workflow}@{version}
              </Link>{" "}
              {count === 1 ? "waits" : "wait"}: nobody serves this version
            </p>
            <ButtonLink to="/endpoints">Endpoints</ButtonLink>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Stalled({ stalled }: { readonly stalled: Attention["stalled"] }) {
  const rest = stalled.count - stalled.runs.length;
  return (
    <>
      {stalled.runs.map((run) => (
        <li key={run.id}>
          <TriangleAlert size={16} aria-hidden />
          <p title={run.trouble?.message}>
            <b>{run.workflow}</b> is stalled
            {run.trouble && (
              <>
                : <code>{run.trouble.code}</code> {run.trouble.message}
              </>
            )}
          </p>
          <ButtonLink to="/runs/$runId" params={{ runId: run.id }}>
            Look
          </ButtonLink>
        </li>
      ))}
      {rest > 0 && (
        <li>
          <TriangleAlert size={16} aria-hidden />
          <p>
            <b>{stalled.more ? `more than ${rest}` : plural(rest, "more stalled run")}</b>
          </p>
          <ButtonLink to="/runs" search={{ status: "stalled" }}>
            All stalled
          </ButtonLink>
        </li>
      )}
    </>
  );
}
