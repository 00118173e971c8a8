import { Command } from "commander";
import { checkCommand } from "./commands/check.js";
import { devCommand } from "./commands/dev.js";
import { doctorCommand } from "./commands/doctor.js";
import { endpointsListCommand } from "./commands/endpoints-list.js";
import { endpointsRefreshCommand } from "./commands/endpoints-refresh.js";
import { endpointsRegisterCommand } from "./commands/endpoints-register.js";
import { endpointsRemoveCommand } from "./commands/endpoints-remove.js";
import { initCommand } from "./commands/init.js";
import { keysCreateCommand } from "./commands/keys-create.js";
import { keysListCommand } from "./commands/keys-list.js";
import { keysPublicCommand } from "./commands/keys-public.js";
import { keysRevokeCommand } from "./commands/keys-revoke.js";
import { migrateCommand } from "./commands/migrate.js";
import { runsCancelCommand } from "./commands/runs-cancel.js";
import { runsPauseCommand, runsResumeCommand, runsWakeupCommand } from "./commands/runs-control.js";
import { runsGetCommand } from "./commands/runs-get.js";
import { runsHistoryCommand } from "./commands/runs-history.js";
import { runsListCommand } from "./commands/runs-list.js";
import { runsPushesCommand } from "./commands/runs-pushes.js";
import { runsRequeueCommand } from "./commands/runs-requeue.js";
import { runsRetryCommand } from "./commands/runs-retry.js";
import { runsSendEventCommand } from "./commands/runs-send-event.js";
import { runsStartCommand } from "./commands/runs-start.js";
import { runsWatchCommand } from "./commands/runs-watch.js";
import { schedulesCreateCommand } from "./commands/schedules-create.js";
import { schedulesDeleteCommand } from "./commands/schedules-delete.js";
import { schedulesGetCommand } from "./commands/schedules-get.js";
import { schedulesListCommand } from "./commands/schedules-list.js";
import { schedulesPauseCommand } from "./commands/schedules-pause.js";
import { schedulesResumeCommand } from "./commands/schedules-resume.js";
import { schedulesTriggerCommand } from "./commands/schedules-trigger.js";
import { startCommand } from "./commands/start.js";
import { workflowsCommand } from "./commands/workflows.js";
import { DEFAULT_URL } from "./session.js";
import { CLI_VERSION } from "./version.js";

const FIRST_STEPS = `
First steps:
  aiki init                                  write a route and a first workflow into your app
  aiki dev                                   run an orchestrator; it finds your app by itself
  aiki runs start hello --input '{"name":"Ada"}' --watch`;

/** The whole command line. Commander throws instead of exiting, so that `main` alone decides the exit code. */
export function program(): Command {
  const aiki = new Command("aiki")
    .description("Durable workflows on the HTTP endpoints you already have.")
    .version(CLI_VERSION)
    .option("--url <url>", `the orchestrator (default: AIKI_URL, or ${DEFAULT_URL})`)
    .option("--api-key <key>", "the API key (default: AIKI_API_KEY)")
    .option("--json", "print JSON for machines")
    .addHelpText("after", FIRST_STEPS);

  group(aiki, "runs", "start, follow and steer runs", [
    runsStartCommand(),
    runsListCommand(),
    runsGetCommand(),
    runsHistoryCommand(),
    runsPushesCommand(),
    runsWatchCommand(),
    runsCancelCommand(),
    runsPauseCommand(),
    runsResumeCommand(),
    runsWakeupCommand(),
    runsRequeueCommand(),
    runsRetryCommand(),
    runsSendEventCommand(),
  ]);
  group(aiki, "schedules", "runs that start by the clock", [
    schedulesListCommand(),
    schedulesGetCommand(),
    schedulesCreateCommand(),
    schedulesPauseCommand(),
    schedulesResumeCommand(),
    schedulesTriggerCommand(),
    schedulesDeleteCommand(),
  ]);
  group(aiki, "endpoints", "the URLs that work is pushed to", [
    endpointsRegisterCommand(),
    endpointsListCommand(),
    endpointsRefreshCommand(),
    endpointsRemoveCommand(),
  ]);
  group(aiki, "keys", "API keys, and the public keys that verify pushes", [
    keysCreateCommand(),
    keysListCommand(),
    keysRevokeCommand(),
    keysPublicCommand(),
  ]);
  for (const command of [
    initCommand(),
    devCommand(),
    startCommand(),
    migrateCommand(),
    workflowsCommand(),
    checkCommand(),
    doctorCommand(),
  ]) {
    aiki.addCommand(command);
  }
  throwInsteadOfExit(aiki);
  return aiki;
}

function group(parent: Command, name: string, description: string, commands: readonly Command[]): void {
  const made = parent.command(name).description(description);
  for (const command of commands) made.addCommand(command);
}

/** `addCommand` does not hand the parent's settings down. */
function throwInsteadOfExit(command: Command): void {
  command
    .exitOverride()
    .showHelpAfterError(`(${["aiki", ...path(command), "--help"].join(" ")} shows what is possible)`);
  command.configureHelp({ showGlobalOptions: true });
  for (const child of command.commands) throwInsteadOfExit(child);
}

function path(command: Command): string[] {
  return command.parent ? [...path(command.parent), command.name()] : [];
}
