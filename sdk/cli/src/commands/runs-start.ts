import type { StartRunBody } from "@aikirun/protocol";
import type { JsonValue } from "@aikirun/protocol/canonical";
import { Command, Option } from "commander";
import { durationMs, instant, jsonInput, workflowAt } from "../arguments.js";
import { servedVersion } from "../served-version.js";
import { session } from "../session.js";
import { follow } from "../timeline/follow.js";

interface Flags {
  readonly input?: JsonValue;
  readonly reference?: string;
  readonly delay?: number;
  readonly at?: number;
  readonly timeout?: number;
  readonly watch?: boolean;
}

export function runsStartCommand(): Command {
  return new Command("start")
    .description("start a run of a workflow; without a version, of the one that is served")
    .argument("<workflow[@version]>")
    .option("--input <json>", "JSON, @file, or - for standard input", jsonInput)
    .option("--reference <id>", "the same id and input again is the same run")
    .option("--delay <duration>", "start it later, such as 10m", durationMs)
    .addOption(new Option("--at <time>", "start it at a date").argParser(instant).conflicts("delay"))
    .option("--timeout <duration>", "how long it may take, such as 2h; then it fails", durationMs)
    .option("--watch", "follow the run until it ends; exits with 1 when it did not complete")
    .action(async (target: string, flags: Flags, command: Command) => {
      const cli = session(command);
      const wanted = workflowAt(target);
      const version = await servedVersion(cli.aiki, wanted);
      const { run, existing } = await cli.aiki.startRun(bodyOf(wanted.workflow, version, flags));
      if (flags.watch) {
        process.exitCode = await follow(cli, run.id);
        return;
      }
      cli.print(
        { run, existing },
        () => `${existing ? "Already there:" : "Started"} ${run.id}  (aiki runs watch ${run.id})`,
      );
    });
}

function bodyOf(workflow: string, version: string, flags: Flags): StartRunBody {
  return {
    workflow,
    version,
    ...(flags.input === undefined ? {} : { input: flags.input }),
    ...(flags.reference === undefined ? {} : { reference: { id: flags.reference } }),
    ...(flags.delay === undefined ? {} : { trigger: { type: "delayed", delayMs: flags.delay } }),
    ...(flags.at === undefined ? {} : { trigger: { type: "at", at: flags.at } }),
    ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
  };
}
