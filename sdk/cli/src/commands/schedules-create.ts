import type { ActivateScheduleBody, CatchUp, OverlapPolicy } from "@aikirun/protocol";
import type { JsonValue } from "@aikirun/protocol/canonical";
import { Command, Option } from "commander";
import { durationMs, jsonInput, workflowAt } from "../arguments.js";
import { scheduleText } from "../schedule-text.js";
import { servedVersion } from "../served-version.js";
import { session } from "../session.js";

interface Flags {
  readonly cron?: string;
  readonly timezone?: string;
  readonly every?: number;
  readonly input?: JsonValue;
  readonly reference?: string;
  readonly overlap?: OverlapPolicy;
  readonly catchUp?: CatchUp;
}

export function schedulesCreateCommand(): Command {
  return new Command("create")
    .description("start a workflow by the clock; the same again is the same schedule")
    .argument("<workflow[@version]>")
    .option("--cron <expression>", 'minute hour day month weekday, such as "0 9 * * 1"')
    .option("--timezone <name>", "of the cron expression, such as Europe/Berlin (default: UTC)")
    .addOption(new Option("--every <duration>", "an interval, such as 10m").argParser(durationMs).conflicts("cron"))
    .option("--input <json>", "JSON, @file, or - for standard input", jsonInput)
    .option("--reference <id>", "the same id with other contents updates the schedule")
    .addOption(
      new Option("--overlap <policy>", "while the run before goes on (default: allow)").choices([
        "allow",
        "skip",
        "cancel_previous",
      ]),
    )
    .addOption(new Option("--catch-up <policy>", "after downtime (default: one)").choices(["one", "all"]))
    .action(async (target: string, flags: Flags, command: Command) => {
      const { aiki, print } = session(command);
      const recurrence = recurrenceOf(flags, command);
      const { workflow, version } = workflowAt(target);
      const body = bodyOf(workflow, await servedVersion(aiki, { workflow, version }), recurrence, flags);
      const result = await aiki.activateSchedule(body);
      print(result, () => `${TOLD[result.outcome]}\n${scheduleText(result.schedule)}`);
    });
}

const TOLD = { created: "Created.", updated: "Updated what was there.", unchanged: "Already there." } as const;

function recurrenceOf({ cron, timezone, every }: Flags, command: Command): ActivateScheduleBody["recurrence"] {
  if (cron !== undefined) return { type: "cron", expression: cron, ...(timezone === undefined ? {} : { timezone }) };
  if (every === undefined) return command.error("error: say when it fires: --cron <expression> or --every <duration>");
  if (timezone !== undefined) return command.error("error: --timezone belongs to --cron; an interval has none");
  return { type: "interval", everyMs: every };
}

function bodyOf(
  workflow: string,
  version: string,
  recurrence: ActivateScheduleBody["recurrence"],
  { input, reference, overlap, catchUp }: Flags,
): ActivateScheduleBody {
  return {
    workflow,
    version,
    recurrence,
    ...(input === undefined ? {} : { input }),
    ...(reference === undefined ? {} : { reference: { id: reference } }),
    ...(overlap === undefined ? {} : { overlapPolicy: overlap }),
    ...(catchUp === undefined ? {} : { catchUp }),
  };
}
