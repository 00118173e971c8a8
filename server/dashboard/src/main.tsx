import "./base.css";
import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { sessionQuery } from "./api/queries.js";
import { RequestError } from "./api/request.js";
import { Toasts } from "./parts/toast.js";
import { pageRouter } from "./shell/router.js";

const RETRIES = 2;

const queries: QueryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // What the orchestrator has refused it refuses again; what did not reach it may.
      retry: (failures, error) =>
        failures < RETRIES && !(error instanceof RequestError && error.status >= 400 && error.status < 500),
    },
  },
  queryCache: new QueryCache({ onError: signInAgain }),
});
const router = pageRouter(queries);

/** A session ends while the page is open: whoever signs in comes back to where they were. */
function signInAgain(error: unknown): void {
  if (!(error instanceof RequestError && error.code === "UNAUTHORIZED")) return;
  const { pathname, href } = router.state.location;
  if (pathname === "/sign-in") return;
  queries.removeQueries({ queryKey: sessionQuery.queryKey });
  void router.navigate({ to: "/sign-in", search: { back: href } });
}

createRoot(document.getElementById("page") as HTMLElement).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <Toasts />
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
