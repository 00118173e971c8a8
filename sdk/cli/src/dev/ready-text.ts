import type { Endpoint } from "@aikirun/protocol";
import { DASHBOARD_PORT } from "@aikirun/server";
import pc from "picocolors";
import { printable } from "../text.js";
import { portsText } from "./ports.js";

/** The folder of the embedded database, or the URL of another. */
export type Data = { readonly folder: string } | { readonly databaseUrl: string };

export interface Ready {
  readonly version: string;
  readonly url: string;
  /** Absent: it was not built. */
  readonly dashboard?: { readonly alsoAt: number | undefined };
  readonly data: Data;
  readonly endpoints: readonly Endpoint[];
  /** URLs that were named, or ports that are searched. */
  readonly searched: readonly string[] | readonly number[];
}

/** What `aiki dev` prints once it accepts requests. Its line `aiki ready URL` is the one that machines wait for. */
export function readyText({ version, url, dashboard, data, endpoints, searched }: Ready): string {
  const lines = [
    `${pc.bold(`aiki ${version}`)}  dev`,
    line("api", url, "no key needed from this machine"),
    ...(dashboard ? [line("dashboard", url, leadsText(dashboard.alsoAt))] : []),
    dataLine(data),
    ...(endpoints.length > 0 ? endpoints.map(endpointLine) : [noEndpointLine(searched)]),
    `aiki ready ${url}`,
    `  next: ${nextStep(endpoints)}`,
  ];
  return lines.join("\n");
}

function leadsText(alsoAt: number | undefined): string {
  return alsoAt === undefined
    ? `port ${DASHBOARD_PORT}, which leads there, is used by another program`
    : `also from http://localhost:${alsoAt}`;
}

/** `endpoint   http://localhost:3000/api/aiki next · hello@1.0.0` */
export function endpointLine(endpoint: Endpoint): string {
  return line("endpoint", printable(endpoint.url), printable([sdkName(endpoint), servedText(endpoint)].join(" · ")));
}

function servedText(endpoint: Endpoint): string {
  return endpoint.workflows.map(({ name, version }) => `${name}@${version}`).join(", ") || "no workflows";
}

/** A URL without its user and password. */
function dataLine(data: Data): string {
  if ("folder" in data) return line("data", printable(data.folder), "Postgres 18, kept between starts");
  const { host, pathname } = new URL(data.databaseUrl);
  return line("data", printable(`${host}${pathname}`), "from DATABASE_URL");
}

function noEndpointLine(searched: Ready["searched"]): string {
  const [first] = searched;
  if (typeof first === "string") return line("endpoint", "none yet:", `asking ${searched.join(", ")}`);
  const ports = portsText(searched.filter((port) => typeof port === "number"));
  return line("endpoint", "none yet:", `looking for /api/aiki on ports ${ports}  (npx aiki init, or aiki dev -u URL)`);
}

function nextStep(endpoints: readonly Endpoint[]): string {
  const served = endpoints.flatMap((endpoint) => endpoint.workflows);
  const first = served.find((one) => one.name === "hello") ?? served[0];
  if (!first) return "npx aiki init";
  const input = first.name === "hello" ? `'{"name":"Ada"}'` : "'{}'";
  return `npx aiki runs start ${printable(first.name)} --input ${input} --watch`;
}

/** `@aikirun/next 0.1.0` is `next` to a person. */
function sdkName({ sdk }: Endpoint): string {
  return sdk.replace(/^@aikirun\//, "").replace(/[ @/].*$/, "");
}

const NAME_COLUMN = 10;
const VALUE_COLUMN = 30;

function line(name: string, value: string, more: string): string {
  const text = more === "" ? value : `${value.padEnd(VALUE_COLUMN)} ${pc.dim(more)}`;
  return `  ${name.padEnd(NAME_COLUMN)} ${text}`;
}
