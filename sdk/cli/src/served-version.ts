import type { Client } from "@aikirun/client";
import { AikiError } from "@aikirun/protocol/canonical";
import { invalidArgument } from "./failure.js";
import { hint } from "./session.js";

interface Wanted {
  readonly workflow: string;
  readonly version: string | undefined;
}

/** The version to start: the one asked for, or the only one that is served. */
export async function servedVersion(
  aiki: Pick<Client, "listWorkflows">,
  { workflow, version }: Wanted,
): Promise<string> {
  const served = (await aiki.listWorkflows()).filter((one) => one.endpoint !== undefined);
  const versions = served.filter((one) => one.name === workflow).map((one) => one.version);
  if (version !== undefined) {
    if (!versions.includes(version))
      hint(`Nobody serves ${workflow}@${version} yet. The run waits until somebody does.`);
    return version;
  }
  const [only, ...others] = versions;
  if (only === undefined) {
    const known = served.map((one) => `${one.name}@${one.version} (${one.endpoint})`).join(", ") || "nothing yet";
    throw new AikiError(
      "WORKFLOW_NOT_SERVED",
      `Nobody serves ${workflow}. Served: ${known}. Add it to serveAiki([...]), or name a version to let the run wait.`,
    );
  }
  if (others.length > 0) {
    throw invalidArgument(
      `${workflow} is served in several versions. Say which: ${versions.map((one) => `${workflow}@${one}`).join(", ")}.`,
    );
  }
  return only;
}
