import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { workflowQuery, workflowsQuery } from "../../api/queries.js";
import { ButtonLink } from "../../parts/button.js";
import type { Schema } from "../../parts/json-schema.js";
import { Loading, Problem } from "../../parts/notice.js";
import { Facts, PageHead, Panel } from "../../parts/panel.js";
import { Payload } from "../../parts/payload.js";
import { countText } from "../../parts/text.js";
import { useTitle } from "../../parts/title.js";
import styles from "../run/run.module.css";
import { ServedBy } from "./workflows.js";

export function WorkflowPage() {
  const { name = "", version = "" } = useSearch({ from: "/inside/workflows/version" });
  const { data, error, refetch } = useQuery(workflowQuery(name, version));
  const { data: list } = useQuery(workflowsQuery);
  useTitle(`${name} ${version}`);
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading what="Loading the workflow" />;
  const known = list?.workflows.find((one) => one.name === name && one.version === version);
  const { live = data.live, workers = 0, endpoint = data.endpoint } = known ?? {};
  return (
    <>
      <PageHead
        title={
          <>
            {name} <small className={styles["version"]}>{version}</small>
          </>
        }
        actions={
          <ButtonLink kind="primary" to="/start" search={{ workflow: name, version }}>
            Start a run
          </ButtonLink>
        }
      />
      <div className={styles["stack"]}>
        <Panel>
          <Facts
            of={[
              ["Served by", <ServedBy key="served" one={{ endpoint, workers }} />],
              [
                "Live runs",
                <Link key="live" to="/runs" search={{ workflow: name, version }}>
                  {countText(live)}
                </Link>,
              ],
              ["Waiting for somebody who serves it", known?.waiting ? countText(known.waiting) : undefined],
            ]}
          />
        </Panel>
        <div className={styles["two"]}>
          <SchemaPanel title="Input" schema={data.input} />
          <SchemaPanel title="Output" schema={data.output} />
          {data.events.map((event) => (
            <SchemaPanel key={event.name} title={`Event ${event.name}`} schema={event.schema} />
          ))}
        </div>
      </div>
    </>
  );
}

function SchemaPanel({ title, schema }: { readonly title: string; readonly schema: Schema | undefined }) {
  return (
    <Panel title={title}>
      {schema === undefined ? (
        <p className={styles["reason"]}>
          Any JSON. A schema of zod, valibot or arktype in the workflow's definition is checked before a value is taken,
          shows here, and makes a form.
        </p>
      ) : (
        <Payload value={schema} what="the schema" />
      )}
    </Panel>
  );
}
