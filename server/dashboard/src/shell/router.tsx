import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { sessionQuery } from "../api/queries.js";
import { RequestError } from "../api/request.js";
import { Loading } from "../parts/notice.js";
import { Broken, Missing } from "./broken.js";
import { Layout } from "./layout.js";
import { parseSearch, pick, stringifySearch } from "./search.js";

interface Context {
  readonly queries: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: Missing });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search) => pick(search, ["back"]),
  component: lazyRouteComponent(() => import("../pages/sign-in/sign-in.js"), "SignIn"),
});

/** Everything that needs to know who asks. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  async beforeLoad({ context, location }) {
    try {
      await context.queries.ensureQueryData(sessionQuery);
    } catch (error) {
      if (!(error instanceof RequestError && error.code === "UNAUTHORIZED")) throw error;
      throw redirect({ to: "/sign-in", search: location.href === "/" ? {} : { back: location.href } });
    }
  },
  component: Layout,
});

export const RUN_FILTERS = [
  "status",
  "workflow",
  "version",
  "reference",
  "schedule",
  "parent",
  "q",
  "since",
  "after",
  "before",
] as const;
export type RunSearch = { [Name in (typeof RUN_FILTERS)[number]]?: string };

const home = createRoute({
  getParentRoute: () => inside,
  path: "/",
  validateSearch: (search) => pick(search, ["range"]),
  component: lazyRouteComponent(() => import("../pages/home/home.js"), "Home"),
});
const runs = createRoute({
  getParentRoute: () => inside,
  path: "/runs",
  validateSearch: (search) => pick(search, RUN_FILTERS),
  component: lazyRouteComponent(() => import("../pages/runs/runs.js"), "Runs"),
});
const run = createRoute({
  getParentRoute: () => inside,
  path: "/runs/$runId",
  validateSearch: (search) => pick(search, ["tab", "entry"]),
  component: lazyRouteComponent(() => import("../pages/run/run.js"), "RunPage"),
});
const start = createRoute({
  getParentRoute: () => inside,
  path: "/start",
  validateSearch: (search) => pick(search, ["workflow", "version", "from"]),
  component: lazyRouteComponent(() => import("../pages/start/start.js"), "Start"),
});
const workflows = createRoute({
  getParentRoute: () => inside,
  path: "/workflows",
  component: lazyRouteComponent(() => import("../pages/workflows/workflows.js"), "Workflows"),
});
const workflow = createRoute({
  getParentRoute: () => inside,
  // A version ends like the name of a file: it is no part of the path.
  path: "/workflows/version",
  validateSearch: (search) => pick(search, ["name", "version"]),
  component: lazyRouteComponent(() => import("../pages/workflows/workflow.js"), "WorkflowPage"),
});
const endpoints = createRoute({
  getParentRoute: () => inside,
  path: "/endpoints",
  component: lazyRouteComponent(() => import("../pages/endpoints/endpoints.js"), "Endpoints"),
});
const endpoint = createRoute({
  getParentRoute: () => inside,
  path: "/endpoints/$endpointId",
  validateSearch: (search) => pick(search, ["range"]),
  component: lazyRouteComponent(() => import("../pages/endpoints/endpoint.js"), "EndpointPage"),
});
const schedules = createRoute({
  getParentRoute: () => inside,
  path: "/schedules",
  component: lazyRouteComponent(() => import("../pages/schedules/schedules.js"), "Schedules"),
});
const schedule = createRoute({
  getParentRoute: () => inside,
  path: "/schedules/$scheduleId",
  component: lazyRouteComponent(() => import("../pages/schedules/schedule.js"), "SchedulePage"),
});
const keys = createRoute({
  getParentRoute: () => inside,
  path: "/keys",
  component: lazyRouteComponent(() => import("../pages/keys/keys.js"), "Keys"),
});

const pages = [home, runs, run, start, workflows, workflow, endpoints, endpoint, schedules, schedule, keys];

export function pageRouter(queries: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([signIn, inside.addChildren(pages)]),
    context: { queries },
    parseSearch,
    stringifySearch,
    defaultPreload: "intent",
    scrollRestoration: true,
    defaultPendingComponent: () => <Loading />,
    defaultErrorComponent: Broken,
    defaultNotFoundComponent: Missing,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof pageRouter>;
  }
}
