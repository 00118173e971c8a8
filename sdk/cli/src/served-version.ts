import type { Client } from "@aikirun/client";
import type { WorkflowList } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { invalidArgument } from "./failure.js";
import { hint } from "./session.js";

interface Wanted {
  readonly workflow: string;
  readonly version: string | undefined;
}

type Asked = Pick<Client, "listWorkflows" | "listEndpoints" | "refreshEndpoint">;

/** The version to start: the one asked for, or the only one that is served. */
export async function servedVersion(aiki: Asked, wanted: Wanted): Promise<string> {
  let served = await listServed(aiki);
  if (!served.some((one) => fits(one, wanted))) {
    await refreshAll(aiki);
    served = await listServed(aiki);
  }
  const { workflow, version } = wanted;
  const versions = served.filter((one) => one.name === workflow).map((one) => one.version);
  if (version !== undefined) {
    if (!versions.includes(version))
      hint(`Nobody serves ${workflow}@${version} yet. The run waits until somebody does.`);
    return version;
  }
  return onlyOf(workflow, versions, served);
}

/** The only version of a workflow that is served or has live runs. */
export async function knownVersion(aiki: Pick<Client, "listWorkflows">, workflow: string): Promise<string> {
  const known = await aiki.listWorkflows();
  const versions = known.filter((one) => one.name === workflow).map((one) => one.version);
  return onlyOf(workflow, versions, known);
}

function onlyOf(workflow: string, versions: readonly string[], known: readonly Listed[]): string {
  const [only, ...others] = versions;
  if (only === undefined) throw notServed(workflow, known);
  if (others.length === 0) return only;
  const choice = versions.map((one) => `${workflow}@${one}`).join(", ");
  throw invalidArgument(`There are several versions of ${workflow}. Say which: ${choice}.`);
}

type Listed = WorkflowList["workflows"][number];

function fits(one: Listed, { workflow, version }: Wanted): boolean {
  return one.name === workflow && (version === undefined || one.version === version);
}

function notServed(workflow: string, served: readonly Listed[]): AikiError {
  const known =
    served.map((one) => `${one.name}@${one.version} (${one.endpoint ?? "a worker"})`).join(", ") || "nothing yet";
  return new AikiError(
    "WORKFLOW_NOT_SERVED",
    `Nobody serves ${workflow}. Served: ${known}. Add it to serveAiki([...]), or name a version to let the run wait.`,
  );
}

async function listServed(aiki: Asked): Promise<Listed[]> {
  return (await aiki.listWorkflows()).filter((one) => one.endpoint !== undefined || one.workers > 0);
}

/** A workflow that was just added to an app is known only after its endpoint was asked again. */
async function refreshAll(aiki: Asked): Promise<void> {
  const endpoints = await aiki.listEndpoints();
  // An endpoint that is down cannot serve it; the run is refused or waits, and says so.
  await Promise.allSettled(endpoints.map(({ id }) => aiki.refreshEndpoint(id)));
}
