/** A second port that leads to the dashboard: for people who look for it where the first Aiki had it. */
import { createServer } from "node:http";

export const DASHBOARD_PORT = 9851;

/** Sends whoever comes to `port` on to the same place at `url`. Undefined: another program has the port. */
export async function leadToDashboard(
  url: string,
  { port = DASHBOARD_PORT, host = "localhost" }: { readonly port?: number; readonly host?: string } = {},
): Promise<{ close(): Promise<void> } | undefined> {
  const server = createServer((incoming, outgoing) => {
    outgoing.writeHead(307, { location: url + (incoming.url ?? "/"), "cache-control": "no-store" }).end();
  });
  const listening = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ host, port }, () => resolve(true));
  });
  if (!listening) return undefined;
  // Alone it keeps no program alive.
  server.unref();
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
