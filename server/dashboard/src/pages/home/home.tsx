import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { countsQuery, endpointsQuery, workflowsQuery } from "../../api/queries.js";
import { ButtonLink } from "../../parts/button.js";
import { Command } from "../../parts/notice.js";
import { PageHead, Panel } from "../../parts/panel.js";
import { RangeSwitch, rangeOf } from "../../parts/range.js";
import { STATUSES, Status } from "../../parts/status.js";
import { compactText } from "../../parts/text.js";
import styles from "./home.module.css";
import { Needs } from "./needs.js";

const Charts = lazy(() => import("./charts.js").then(({ Charts }) => ({ default: Charts })));

export function Home() {
  const { range } = useSearch({ from: "/inside/" });
  const navigate = useNavigate({ from: "/" });
  const { data } = useQuery(countsQuery);
  const { data: endpoints } = useQuery(endpointsQuery);
  const { data: workflows } = useQuery(workflowsQuery);
  const isNew =
    data !== undefined &&
    STATUSES.every((status) => !data.counts[status]?.count) &&
    endpoints?.endpoints.length === 0 &&
    workflows?.workflows.length === 0;
  return (
    <>
      <PageHead
        title="Home"
        actions={
          <>
            <RangeSwitch value={range} choose={(next) => void navigate({ search: { range: next }, replace: true })} />
            <ButtonLink kind="primary" to="/start">
              Start a run
            </ButtonLink>
          </>
        }
      />
      <div className={styles["stack"]}>
        {isNew ? <FirstSteps /> : <Needs />}
        <nav className={styles["tiles"]} aria-label="Runs by status">
          {STATUSES.map((status) => {
            const found = data?.counts[status];
            return (
              <Link key={status} to="/runs" search={{ status }} className={found?.count ? "" : (styles["none"] ?? "")}>
                <b>{found === undefined ? "–" : `${compactText(found.count)}${found.more ? "+" : ""}`}</b>
                <Status status={status} size="bare" />
              </Link>
            );
          })}
        </nav>
        <Suspense fallback={<Frames />}>
          <Charts rangeMs={rangeOf(range)} />
        </Suspense>
      </div>
    </>
  );
}

/** Where the charts will be. */
function Frames() {
  return (
    <div className={styles["charts"]} aria-hidden>
      <div />
      <div />
      <div />
      <div />
    </div>
  );
}

/** Nothing is here yet: what to type, in order. */
function FirstSteps() {
  return (
    <Panel title="First steps">
      <ol className={styles["steps"]}>
        <li>
          <p>
            <b>1. Write a workflow</b> and the route that serves it into your app:
          </p>
          <Command text="npx aiki init" />
        </li>
        <li>
          <p>
            <b>2. Tell this orchestrator</b> where your app is; <code>aiki dev</code> finds it by itself on this
            machine:
          </p>
          <Command text="npx aiki endpoints register https://app.example.com/api/aiki" />
        </li>
        <li>
          <p>
            <b>3. Start a run</b> and watch it here:
          </p>
          <Command text={`npx aiki runs start hello --input '{"name":"Ada"}' --watch`} />
        </li>
      </ol>
    </Panel>
  );
}
