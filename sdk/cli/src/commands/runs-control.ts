/** `aiki runs pause`, `resume` and `wakeup`: one word to one run. */
import type { Client } from "@aikirun/client";
import { Command } from "commander";
import { session } from "../session.js";

export function runsPauseCommand(): Command {
  return control("pause", "hold a run once what is under way is recorded", {
    tell: (aiki, runId) => aiki.pauseRun(runId),
    text: (runId) => `Pausing ${runId}. Let it go on with: aiki runs resume ${runId}`,
  });
}

export function runsResumeCommand(): Command {
  return control("resume", "let a paused run go on", {
    tell: (aiki, runId) => aiki.resumeRun(runId),
    text: (runId) => `Resumed ${runId}. Follow it with: aiki runs watch ${runId}`,
  });
}

export function runsWakeupCommand(): Command {
  return control("wakeup", "end the sleeps of a run now, and start one that was to start later", {
    tell: (aiki, runId) => aiki.wakeupRun(runId),
    text: (runId) => `Woke ${runId}. Follow it with: aiki runs watch ${runId}`,
  });
}

interface Word {
  tell(aiki: Client, runId: string): Promise<void>;
  text(runId: string): string;
}

function control(name: string, description: string, { tell, text }: Word): Command {
  return new Command(name)
    .description(description)
    .argument("<run-id>")
    .action(async (runId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      await tell(aiki, runId);
      print({ id: runId }, () => text(runId));
    });
}
