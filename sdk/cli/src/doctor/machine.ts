import { type Finding, fine, problem } from "./finding.js";

const OLDEST = [20, 19] as const;

export function checkNode(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return fine("node", version);
  return problem("node", `${version} is too old.`, `Install Node ${OLDEST.join(".")} or newer.`);
}
