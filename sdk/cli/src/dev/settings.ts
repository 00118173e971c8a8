import { lookup } from "node:dns/promises";
import { type Environment, readOrMakeSecret, readSettings, type Settings } from "@aikirun/server";
import { loopbackPort } from "./register.js";

/** Milliseconds that a push may take to end after Ctrl-C. Nobody wants to wait; the run goes on at the next start. */
const STOP_GRACE_MS = "1000";

export interface DevSettings {
  readonly settings: Settings & { readonly AIKI_SECRET: Uint8Array<ArrayBuffer> };
  /** The same as text, for a host that reads them by itself. */
  readonly texts: Readonly<Record<string, string>>;
}

/** The settings of `aiki dev`: those of the environment, and what a developer's machine may have for itself. */
export async function devSettings(
  environment: Environment,
  { port, folder, urls }: { port: number; folder: string; urls: readonly string[] },
): Promise<DevSettings> {
  const allow = [environment.AIKI_EGRESS_ALLOW, ...(await networksOf(urls))].filter((part) => part);
  const given: Environment = {
    AIKI_STOP_GRACE_MS: STOP_GRACE_MS,
    ...environment,
    // The environment's PORT is the app's own.
    PORT: String(port),
    AIKI_EGRESS_ALLOW: allow.join(","),
  };
  const settings = readSettings(given);
  const own = Object.entries(given).filter((entry): entry is [string, string] => /^AIKI_/.test(entry[0]) && !!entry[1]);
  const AIKI_SECRET = settings.AIKI_SECRET ?? (await readOrMakeSecret(folder));
  return { settings: { ...settings, AIKI_SECRET }, texts: Object.fromEntries(own) };
}

/** The addresses of URLs that were named: an app in a container has a private one. */
async function networksOf(urls: readonly string[]): Promise<string[]> {
  const hosts = urls
    .filter((url) => URL.canParse(url) && loopbackPort(url) === undefined)
    .map((url) => new URL(url).hostname);
  const found = await Promise.all(
    hosts.map(async (host) => {
      // A name that is not known yet makes the registration fail, which says so.
      const addresses = await lookup(host.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
      return addresses.map(({ address, family }) => `${address}/${family === 6 ? 128 : 32}`);
    }),
  );
  return found.flat();
}
