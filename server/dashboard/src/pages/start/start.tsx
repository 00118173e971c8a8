import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { PackageOpen } from "lucide-react";
import { runQuery, workflowQuery, workflowsQuery } from "../../api/queries.js";
import { startValue } from "../../parts/json-schema.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { PageHead, Panel } from "../../parts/panel.js";
import { type Choice, StartForm } from "./start-form.js";

export function Start() {
  const search = useSearch({ from: "/inside/start" });
  const { data, error, refetch } = useQuery(workflowsQuery);
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (!data) return <Loading what="Loading workflows" />;
  if (data.workflows.length === 0) {
    return (
      <>
        <PageHead title="Start a run" />
        <Panel flush>
          <Empty
            icon={PackageOpen}
            title="There is nothing to start yet"
            command="aiki endpoints register https://app.example.com/api/aiki"
          >
            Register the endpoint of your app; <code>aiki dev</code> finds one that runs on this machine by itself.
          </Empty>
        </Panel>
      </>
    );
  }
  const named = search.workflow ?? data.workflows[0]?.name ?? "";
  const versions = data.workflows.filter(({ name }) => name === named).map(({ version }) => version);
  const version = search.version ?? versions.at(-1) ?? "";
  return (
    <>
      <PageHead title="Start a run">It runs on the endpoint or the workers that serve its version.</PageHead>
      <Prepared workflows={data.workflows} name={named} version={version} from={search.from} />
    </>
  );
}

/** Waits for what the form begins with: the schema, and the input of the run that is to be repeated. */
function Prepared({ from, ...choice }: Choice & { readonly from: string | undefined }) {
  const { name, version } = choice;
  const detail = useQuery(workflowQuery(name, version));
  const example = useQuery({ ...runQuery(from ?? ""), enabled: from !== undefined });
  if (detail.isPending || (from !== undefined && example.isPending)) return <Loading what="Loading the workflow" />;
  const schema = detail.data?.input;
  const first = example.data ? example.data.input : schema && startValue(schema, schema);
  return <StartForm key={`${name}@${version} ${from}`} {...choice} schema={schema} first={first} />;
}
