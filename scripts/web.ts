/** `npm run web`: leads from port 9851 to the dashboard, which the orchestrator serves on its own port. */
import { DASHBOARD_PORT, leadToDashboard } from "@aikirun/server";

const url = (process.env["AIKI_URL"] ?? "http://localhost:9850").replace(/\/+$/, "");
const leads = await leadToDashboard(url);
if (leads) {
  console.log(`The dashboard is at ${url}; http://localhost:${DASHBOARD_PORT} leads there. Ctrl-C ends this.`);
  await new Promise<void>((resolve) => {
    const waiting = setInterval(() => {}, 2 ** 30);
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        clearInterval(waiting);
        resolve();
      });
    }
  });
  await leads.close();
} else {
  console.log(`Port ${DASHBOARD_PORT} is used by another program. The dashboard is at ${url}.`);
}
