/** The one place that reads settings: what they are called, what they may be, and what is said when one is wrong. */
import { AikiError } from "@aikirun/protocol";
import * as z from "zod";
import { type Cidr, parseCidr } from "../egress/address.js";
import { nearest } from "./nearest.js";

export type Environment = Readonly<Record<string, string | undefined>>;

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, "is not a whole number")
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must lie between ${least} and ${most}`);

const cidrs = z.string().transform((text, context): Cidr[] => {
  const found: Cidr[] = [];
  for (const part of text.split(",").map((one) => one.trim())) {
    const cidr = parseCidr(part);
    if (cidr) found.push(cidr);
    else
      context.addIssue(
        `${JSON.stringify(part)} is not a network such as 10.0.0.0/8; "true" or everything is not possible`,
      );
  }
  return found;
});

const ports = z.string().transform((text, context): number[] => {
  const found = text.split(",").map((one) => Number(one.trim()));
  if (found.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) {
    context.addIssue("is not a list of ports such as 443,8443");
  }
  return found;
});

const secret = z.string().transform((text, context): Uint8Array<ArrayBuffer> => {
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : Buffer.alloc(0);
  if (bytes.byteLength !== 32) context.addIssue("is not 32 bytes in base64; make one with: openssl rand -base64 32");
  return new Uint8Array(bytes);
});

const publicUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), "is not an http or https URL")
  .transform((text) => text.replace(/\/+$/, ""));

const postgresUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol), "is not a postgres:// URL");

const privateJwk = z.string().transform((text, context): Record<string, unknown> => {
  try {
    const json = text.trimStart().startsWith("{") ? text : Buffer.from(text, "base64").toString("utf8");
    return z.record(z.string(), z.unknown()).parse(JSON.parse(json));
  } catch {
    context.addIssue("is not a private key as a JSON Web Key, plain or in base64");
    return {};
  }
});

/** Every setting of the orchestrator. The same names are used on every runtime. */
const SETTINGS = {
  /** Postgres 14 or newer. */
  DATABASE_URL: postgresUrl.optional(),
  /** Encrypts signing keys and secret headers in the database. */
  AIKI_SECRET: secret.optional(),
  /** A key with admin scope over every namespace, to make the first keys with. */
  AIKI_ADMIN_KEY: z.string().min(24, "must have at least 24 characters").max(500).optional(),
  /** Signs pushes, instead of a key that is made and kept in the database. */
  AIKI_SIGNING_KEY: privateJwk.optional(),
  /** How endpoints and clients reach this orchestrator; `iss` of every token. */
  AIKI_PUBLIC_URL: publicUrl.optional(),
  PORT: whole(0, 65_535).optional(),
  /** The address to listen on. */
  AIKI_HOST: z.string().min(1).max(255).optional(),
  /** Networks that pushes may reach beside the public internet. */
  AIKI_EGRESS_ALLOW: cidrs.optional(),
  /** Ports on public addresses. */
  AIKI_EGRESS_PORTS: ports.optional(),
  /** `off` for poolers that know no prepared statements. */
  AIKI_DB_PREPARE: z.enum(["auto", "on", "off"], "must be auto, on or off").optional(),
  AIKI_DB_CONNECTIONS: whole(2, 500).optional(),
  /** A holder that is not heard of for this long loses the run. */
  AIKI_LEASE_MS: whole(1_000, 3_600_000).optional(),
  /** Runs that one process advances at a time. */
  AIKI_MAX_RUNS: whole(1, 100_000).optional(),
  /** Whether an invocation may record results and go on, instead of answering after each step. */
  AIKI_CHECKPOINTS: z.enum(["on", "off"], "must be on or off").optional(),
  /** Connections to one endpoint. */
  AIKI_ENDPOINT_CONNECTIONS: whole(1, 10_000).optional(),
  AIKI_REGISTRATIONS_PER_MINUTE: whole(1, 100_000).optional(),
  /** How long pushes under way may take to end when the program is told to stop. */
  AIKI_STOP_GRACE_MS: whole(0, 3_600_000).optional(),
} as const;

type Shape = typeof SETTINGS;
export type Settings = { readonly [Name in keyof Shape]: z.output<Shape[Name]> };

/** Settings of the client, the endpoints and the command line, which may stand in the same environment. */
const NEIGHBOURS: ReadonlySet<string> = new Set([
  "AIKI_URL",
  "AIKI_API_KEY",
  "AIKI_PUBLIC_KEYS",
  "AIKI_NAMESPACE",
  "AIKI_ISSUER",
  "AIKI_ENDPOINT_URL",
]);

/** Throws `SETTING_INVALID` with one line that names the setting. Its value is never shown: it may be a secret. */
export function readSettings(environment: Environment): Settings {
  refuseUnknown(environment);
  const settings: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(SETTINGS)) {
    const text = environment[name];
    if (text === undefined || text === "") continue;
    const parsed = schema.safeParse(text);
    if (!parsed.success) throw invalid(name, parsed.error.issues[0]?.message ?? "is not valid");
    settings[name] = parsed.data;
  }
  return settings as Settings;
}

export function invalid(name: string, problem: string): AikiError {
  return new AikiError("SETTING_INVALID", `${name} ${problem}.`, { details: { setting: name } });
}

function refuseUnknown(environment: Environment): void {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("AIKI_") || name in SETTINGS || NEIGHBOURS.has(name)) continue;
    const known = [...Object.keys(SETTINGS), ...NEIGHBOURS];
    throw invalid(name, `is not a setting of Aiki; the nearest is ${nearest(name, known)}`);
  }
}
