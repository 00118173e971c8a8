/** Every route of the API. */
import { bulkRoutes } from "./bulk.js";
import { checkpointRoutes } from "./checkpoints.js";
import { controlRoutes } from "./control.js";
import { countRoutes } from "./counts.js";
import { endpointRoutes } from "./endpoints.js";
import { eventRoutes } from "./events.js";
import { keyRoutes } from "./key-routes.js";
import { liveRoutes } from "./live-runs.js";
import type { Route } from "./route.js";
import { runRoutes } from "./runs.js";
import { scheduleRoutes } from "./schedules.js";
import { systemRoutes } from "./system.js";
import { workerRoutes } from "./workers.js";

export const routes: readonly Route[] = [
  // Before the routes of one run, whose id could be any text.
  ...countRoutes,
  ...runRoutes,
  ...liveRoutes,
  ...controlRoutes,
  ...bulkRoutes,
  ...eventRoutes,
  ...checkpointRoutes,
  ...scheduleRoutes,
  ...workerRoutes,
  ...endpointRoutes,
  ...keyRoutes,
  ...systemRoutes(() => routes),
];
