import { Command } from "commander";
import { session } from "../session.js";
import { table } from "../table.js";
import { instantText } from "../text.js";

export function runsPushesCommand(): Command {
  return new Command("pushes")
    .description("list the last pushes of a run: to whom, how long, what came of each")
    .argument("<run-id>")
    .action(async (runId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const pushes = await aiki.listPushes(runId);
      print({ pushes }, () =>
        table(
          [
            { head: "started" },
            { head: "ms" },
            { head: "endpoint" },
            { head: "outcome" },
            { head: "delivery" },
            { head: "checkpoints" },
            { head: "fence" },
          ],
          pushes.map((push) => [
            instantText(push.startedAt),
            String(push.durationMs),
            push.endpoint.name ?? push.endpoint.id,
            push.outcome,
            String(push.delivery),
            String(push.checkpoints),
            `${push.gen}.${push.seq}`,
          ]),
        ),
      );
    });
}
