import { homedir } from "node:os";
import { resolve, sep } from "node:path";
import { client } from "@aikirun/client";
import { AikiError } from "@aikirun/protocol/canonical";
import { DASHBOARD_PORT, leadToDashboard } from "@aikirun/server";
import { messageOf } from "../failure.js";
import { say } from "../session.js";
import { CLI_VERSION } from "../version.js";
import { openDatabase } from "./database.js";
import { EndpointReport } from "./endpoint-report.js";
import { findEndpoints } from "./find-endpoints.js";
import { type Runtime, startHost } from "./host.js";
import { interruption } from "./interruption.js";
import { devLog, warn } from "./log.js";
import { readyText } from "./ready-text.js";
import { runEnds } from "./run-ends.js";
import { devSettings } from "./settings.js";

export interface DevOptions {
  readonly port: number;
  /** The data folder, as it was given. */
  readonly data: string;
  /** Endpoints that were named; none: they are searched for. */
  readonly urls: readonly string[];
  readonly runtime: Runtime;
}

/** Runs an orchestrator for development until it is told to stop. Leaves nothing running. */
export async function dev({ port, data, urls, runtime }: DevOptions): Promise<void> {
  const stop = interruption();
  const closers: (() => Promise<void> | void)[] = [() => stop.release()];
  try {
    const folder = resolve(data);
    const given = await devSettings(process.env, { port, folder, urls });
    const database = await openDatabase(folder, given.settings.DATABASE_URL);
    closers.push(() => database.close());
    if (stop.signal.aborted) return;

    const aiki = client({ url: `http://127.0.0.1:${port}` });
    const report = new EndpointReport();
    const log = devLog((endpointId) => void aiki.getEndpoint(endpointId).then(report.found, () => {}));
    const project = withTilde(process.cwd());
    const server = await startHost(runtime, { given, databaseUrl: database.url, port, folder, project, log });
    closers.push(() => server.close());
    closers.push(server.onRunEnd(runEnds(aiki)));
    const leads = server.hasDashboard ? await leadToDashboard(server.url) : undefined;
    if (leads) closers.push(() => leads.close());

    const ownPorts = [port, Number(new URL(database.url).port)];
    const finding = await findEndpoints({ aiki, report, urls, ownPorts, signal: stop.signal });
    closers.push(finding.stop);
    const { searched } = finding;
    say(
      readyText({
        version: CLI_VERSION,
        url: server.url,
        ...(server.hasDashboard && { dashboard: { alsoAt: leads ? DASHBOARD_PORT : undefined } }),
        data: database.embedded ? { folder: data } : { databaseUrl: database.url },
        endpoints: report.ready(),
        searched,
      }),
    );
    for (const warning of server.warnings) warn(warning);

    await Promise.race([stop.happened, database.exited]);
    if (!stop.signal.aborted) throw databaseGone(folder);
  } finally {
    stop.abort();
    await closeAll(closers.reverse());
  }
}

/** Each is closed, whatever another one throws: a Postgres must not be left behind by a server that could not end. */
async function closeAll(closers: readonly (() => Promise<void> | void)[]): Promise<void> {
  for (const close of closers) {
    try {
      await close();
    } catch (error) {
      warn(messageOf(error));
    }
  }
}

function databaseGone(folder: string): AikiError {
  return new AikiError("DATABASE_UNAVAILABLE", `The embedded Postgres has ended. ${folder}/postgres.log says why.`);
}

/** `~/shop`: how people name their folders. */
function withTilde(folder: string): string {
  const home = homedir();
  return folder === home || folder.startsWith(home + sep) ? `~${folder.slice(home.length)}` : folder;
}
