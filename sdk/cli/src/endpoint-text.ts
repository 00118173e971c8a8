import type { Endpoint } from "@aikirun/protocol";
import { paintStatus, pairs } from "./table.js";
import { durationText, instantText, printable } from "./text.js";

export function endpointText(endpoint: Endpoint): string {
  const served = endpoint.workflows.map(({ name, version }) => `${name}@${version}`).join(", ") || "no workflows";
  return pairs([
    ["endpoint", endpoint.id],
    ["url", printable(endpoint.url)],
    ["name", endpoint.name === endpoint.url ? undefined : printable(endpoint.name)],
    ["status", paintStatus(endpoint.status)],
    ["serves", printable(served)],
    ["sdk", printable(endpoint.sdk)],
    ["max duration", durationText(endpoint.maxDurationMs)],
    ["background", endpoint.backgroundMs === undefined ? undefined : durationText(endpoint.backgroundMs)],
    ["concurrency", String(endpoint.concurrency)],
    ["headers", endpoint.headerNames.length === 0 ? undefined : printable(endpoint.headerNames.join(", "))],
    ["described", instantText(endpoint.describedAt)],
    ["trouble", endpoint.trouble && printable(`${endpoint.trouble.code} ${endpoint.trouble.message}`)],
  ]);
}
