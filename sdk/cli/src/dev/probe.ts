import { PROTOCOL_HEADER, PROTOCOL_VERSION } from "@aikirun/protocol";

/** A development server may compile the route first. */
const PROBE_MS = 30_000;

/** Whether an Aiki endpoint answers there, or something else. An unsigned GET, which no server minds. */
export async function probe(url: string, signal: AbortSignal): Promise<"endpoint" | "other" | "unreachable"> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
    const response = await fetch(url, { redirect: "manual", signal: limit, headers: { accept: "application/json" } });
    await response.body?.cancel();
    return response.headers.get(PROTOCOL_HEADER) === String(PROTOCOL_VERSION) ? "endpoint" : "other";
  } catch {
    return "unreachable";
  }
}
