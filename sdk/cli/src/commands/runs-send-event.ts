import type { SendEventBody } from "@aikirun/protocol";
import type { JsonValue } from "@aikirun/protocol/canonical";
import { Command } from "commander";
import { jsonInput } from "../arguments.js";
import { session } from "../session.js";

export function runsSendEventCommand(): Command {
  return new Command("send-event")
    .description("send an event to a run; it is kept until the run waits for it")
    .argument("<run-id>")
    .argument("<event>", "the event's name")
    .option("--data <json>", "JSON, @file, or - for standard input", jsonInput)
    .option("--reference <id>", "a second send with this id does nothing")
    .action(
      async (runId: string, name: string, options: { data?: JsonValue; reference?: string }, command: Command) => {
        const { aiki, print } = session(command);
        const body: SendEventBody = { name, ...options };
        const result = await aiki.sendEvent(runId, body);
        print(result, () => (result.duplicate ? `${runId} already has this ${name}.` : `Sent ${name} to ${runId}.`));
      },
    );
}
