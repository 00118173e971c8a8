import type { CheckEndpointBody, CheckFinding, CheckResult } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";
import { Command } from "commander";
import pc from "picocolors";
import { whole } from "../arguments.js";
import { addressOptions } from "../endpoint-address.js";
import { EXIT } from "../exit.js";
import { session } from "../session.js";
import { table } from "../table.js";
import { durationText, printable } from "../text.js";

interface Flags extends Omit<CheckEndpointBody, "url" | "headers"> {
  readonly header?: Record<string, string>;
}

export function checkCommand(): Command {
  const command = new Command("check")
    .description("replay runs in flight against the code at a URL, before traffic moves there")
    .argument("<url>")
    .option("--sample <n>", "how many runs to replay (default: 400)", whole(1, LIMITS.checkedRuns))
    .option("--name <name>", "the endpoint that this code is to replace (default: the URL)");
  return addressOptions(command).action(async (url: string, flags: Flags, command: Command) => {
    const { aiki, print } = session(command);
    const { header: headers, ...rest } = flags;
    const result = await aiki.checkEndpoint({ url, ...rest, ...(headers === undefined ? {} : { headers }) });
    print(result, () => resultText(result));
    if (!result.ok) process.exitCode = EXIT.failed;
  });
}

function resultText(result: CheckResult): string {
  const { url, sdk, versions, findings } = result;
  const listed = versions.map(({ name, version, live, checked }) => [
    `${name}@${version}`,
    live.toLocaleString("en-US"),
    checked.toLocaleString("en-US"),
  ]);
  return [
    printable(`${url} (${sdk})`),
    table([{ head: "workflow" }, { head: "in flight" }, { head: "checked" }], listed),
    ...findings.map(findingText),
    verdictText(result),
  ].join("\n");
}

function findingText({ outcome, message }: CheckFinding): string {
  return `${outcome === "too_large" ? pc.yellow("!") : pc.red("✗")} ${printable(message)}`;
}

function verdictText({ ok, versions, elapsedMs }: CheckResult): string {
  const all = versions.reduce((sum, { checked }) => sum + checked, 0);
  const took = `${all.toLocaleString("en-US")} checked in ${durationText(elapsedMs)}, no task was run.`;
  if (ok) return `${pc.green("✓")} No run that was checked would stop: ${took}`;
  return `${pc.red("Do not move traffic there")}: ${took} Serve the change as a new version beside the old one.`;
}
