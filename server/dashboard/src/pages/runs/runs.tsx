import type { RunSummary } from "@aikirun/protocol";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListTree, SearchX } from "lucide-react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { type Change, useRunsStream } from "../../api/follow-runs.js";
import { PAGE_RUNS, runsQuery } from "../../api/queries.js";
import type { Query } from "../../api/request.js";
import { Button, ButtonLink } from "../../parts/button.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { PageHead } from "../../parts/panel.js";
import { plural } from "../../parts/text.js";
import type { RunSearch } from "../../shell/router.js";
import { Bulk } from "./bulk.js";
import { Counts } from "./counts.js";
import { queryOf, statusesOf } from "./filter.js";
import { Filters } from "./filters.js";
import { applyChange, freshIds, NOTHING_CHANGED, rowsOf } from "./live-list.js";
import { RunRows } from "./run-rows.js";
import styles from "./runs.module.css";

const MINUTE_MS = 60_000;
/** Scrolled less than this, somebody looks at the newest runs. */
const NEAR_TOP_PX = 200;
const MOST_FRESH = 2_000;

export function Runs() {
  const search = useSearch({ from: "/inside/runs" });
  const navigate = useNavigate({ from: "/runs" });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a relative time is looked up when the filter changes, once.
  const now = useMemo(() => Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS, [search]);
  const query = useMemo(() => queryOf(search, now), [search, now]);
  const change = useCallback(
    (next: Partial<Record<keyof RunSearch, string | undefined>>) =>
      void navigate({ search: (before) => given({ ...before, ...next }), replace: true }),
    [navigate],
  );
  return (
    <>
      <PageHead
        title="Runs"
        actions={
          <>
            <Bulk search={search} now={now} />
            <ButtonLink kind="primary" to="/start" search={startSearch(search)}>
              Start a run
            </ButtonLink>
          </>
        }
      />
      <Filters search={search} change={change} />
      <Counts
        filtered={Object.keys(query).some((name) => name !== "status")}
        chosen={statusesOf(search)}
        choose={(next) => change({ status: next.join(",") })}
      />
      <List key={JSON.stringify(query)} query={query} clear={() => void navigate({ search: {} })} />
    </>
  );
}

function startSearch({ workflow, version }: RunSearch): { workflow?: string; version?: string } {
  return { ...(workflow && { workflow }), ...(version && { version }) };
}

function given(search: Partial<Record<keyof RunSearch, string | undefined>>): RunSearch {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value)) as RunSearch;
}

/** One filter's runs; another filter is another list. */
function List({ query, clear }: { readonly query: Query; readonly clear: () => void }) {
  const { data, error, refetch, isPending, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    runsQuery(query),
  );
  const pages = useMemo(() => data?.pages.flatMap(({ runs }) => runs) ?? [], [data]);
  const queries = useQueryClient();
  const startAgain = useCallback(
    () => void queries.resetQueries({ queryKey: runsQuery(query).queryKey }),
    [queries, query],
  );
  const { rows, waiting, show, live } = useLive(query, pages, startAgain);
  const reachEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  if (isPending) {
    return (
      <div className={styles["list"]}>
        <Loading rows={12} what="Loading runs" />
      </div>
    );
  }
  return (
    <>
      {waiting > 0 && (
        <div className={styles["pill"]}>
          <button type="button" onClick={show}>
            {plural(waiting, "new run")}
          </button>
        </div>
      )}
      <div className={styles["list"]}>
        {rows.length === 0 && !hasNextPage ? (
          <NoRuns filtered={Object.keys(query).length > 0} clear={clear} />
        ) : (
          <RunRows runs={rows} reachEnd={reachEnd} />
        )}
        <div className={styles["end"]}>
          {error ? (
            <Problem error={error} again={() => void fetchNextPage()} />
          ) : (
            <>
              <span className={`${styles["live"]} ${live ? "" : styles["lost"]}`}>
                {live ? "Live" : "Connecting …"}
              </span>
              <span>
                {plural(rows.length, "run")} {hasNextPage ? "read; more below" : "in all"}
              </span>
            </>
          )}
        </div>
      </div>
    </>
  );
}

/** New runs appear by themselves while the top of the list is in sight, and wait for a press when it is not. */
function useLive(query: Query, pages: readonly RunSummary[], startAgain: () => void) {
  const [overlay, setOverlay] = useState(NOTHING_CHANGED);
  const [shown, setShown] = useState<ReadonlySet<string>>(new Set());
  const see = useCallback((change: Change) => setOverlay((before) => applyChange(before, change)), []);
  const live = useRunsStream(query, PAGE_RUNS, see);
  const fresh = useMemo(() => freshIds(pages, overlay), [pages, overlay]);
  const show = useCallback(() => {
    setShown(new Set(fresh));
    window.scrollTo({ top: 0 });
  }, [fresh]);
  useEffect(() => {
    if (fresh.length === 0 || window.scrollY > NEAR_TOP_PX) return;
    setShown(new Set(fresh));
    // A page that stays open for days does not keep every run that ever passed by.
    if (fresh.length < MOST_FRESH) return;
    setOverlay(NOTHING_CHANGED);
    startAgain();
  }, [fresh, startAgain]);
  const placed = useMemo(() => fresh.filter((id) => shown.has(id)), [fresh, shown]);
  const rows = useMemo(() => rowsOf(pages, overlay, placed), [pages, overlay, placed]);
  return { rows, waiting: fresh.length - placed.length, show, live };
}

function NoRuns({ filtered, clear }: { readonly filtered: boolean; readonly clear: () => void }) {
  if (!filtered) {
    return (
      <Empty
        icon={ListTree}
        title="No run has been started yet"
        command={`aiki runs start hello --input '{"name":"Ada"}' --watch`}
      >
        Start one from your app, from this page, or from a terminal:
      </Empty>
    );
  }
  return (
    <>
      <Empty icon={SearchX} title="No run matches">
        New runs that match appear here by themselves.
      </Empty>
      <div className="centred">
        <Button onClick={clear}>Clear the filters</Button>
      </div>
    </>
  );
}
