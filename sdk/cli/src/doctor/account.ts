import type { Session } from "../session.js";
import { type Finding, fine, problem, problemOf } from "./finding.js";

/** What the API key may see: whether it is valid, whether endpoints are healthy, whether runs wait for nobody. */
export async function checkAccount({ aiki, apiKey }: Session): Promise<Finding[]> {
  let endpoints: Awaited<ReturnType<typeof aiki.listEndpoints>>;
  try {
    endpoints = await aiki.listEndpoints();
  } catch (error) {
    return [problemOf("key", error)];
  }
  const findings = [fine("key", apiKey === undefined ? "none needed from this machine" : "accepted")];
  if (endpoints.length === 0) {
    const fix = "`npx aiki init` writes a route, `aiki dev` finds it, `aiki endpoints register URL` names it.";
    findings.push(problem("endpoint", "No endpoint is registered: nothing can run.", fix));
  }
  for (const { name, status, trouble, workflows } of endpoints) {
    const served = workflows.map((one) => `${one.name}@${one.version}`).join(", ") || "no workflows";
    if (status === "healthy" && !trouble) findings.push(fine("endpoint", `${name} serves ${served}`));
    else {
      const why = trouble ? `: ${trouble.code} ${trouble.message}` : "";
      findings.push(
        problem("endpoint", `${name} is ${status}${why}`, `Then ask it again: aiki endpoints refresh ${name}`),
      );
    }
  }
  try {
    const waiting = (await aiki.listWorkflows()).filter((one) => one.endpoint === undefined && one.live > 0);
    for (const { name, version, live } of waiting) {
      const fix = "Add it to serveAiki([...]) and deploy. The runs wait.";
      findings.push(problem("workflow", `Nobody serves ${name}@${version}, which has ${live} live runs.`, fix));
    }
  } catch (error) {
    findings.push(problemOf("workflow", error));
  }
  return findings;
}
