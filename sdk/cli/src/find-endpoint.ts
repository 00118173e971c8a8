import type { Client } from "@aikirun/client";
import type { Endpoint } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";

/** The endpoint with this id, name or URL: people remember the last two. */
export async function findEndpoint(aiki: Pick<Client, "listEndpoints">, wanted: string): Promise<Endpoint> {
  const endpoints = await aiki.listEndpoints();
  const found = endpoints.find((one) => one.id === wanted || one.name === wanted || one.url === wanted);
  if (found) return found;
  const known = endpoints.map((one) => one.name).join(", ") || "none";
  throw new AikiError("NOT_FOUND", `No endpoint has the id, name or URL "${wanted}". Registered: ${known}.`);
}
