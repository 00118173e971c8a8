/** One run as it happens: its state and its records, by server-sent events. */
import type { HistoryPage, Run } from "@aikirun/protocol";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { runQuery } from "./queries.js";
import { urlOf } from "./request.js";

export type TimedRecord = HistoryPage["records"][number];

const AGAIN_MS = 1_500;

export type Link = "connecting" | "live" | "lost" | "over";

/** `ended`: as the page knows it. A run that was over and goes on, because somebody has opened it again, is followed anew. */
export function useRunRecords(runId: string, ended: boolean): { records: readonly TimedRecord[]; link: Link } {
  const queries = useQueryClient();
  const [records, setRecords] = useState<readonly TimedRecord[]>([]);
  const [link, setLink] = useState<Link>("connecting");
  const [begun, setBegun] = useState(0);
  const last = useRef(0);

  useEffect(() => {
    if (link === "over" && !ended) setBegun((before) => before + 1);
  }, [link, ended]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `begun` is what makes a stream that is over begin again.
  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let frame: number | undefined;
    let pending: TimedRecord[] = [];

    // A thousand records arrive in one burst; the page is drawn once for all of them.
    const flush = () => {
      frame = undefined;
      const batch = pending;
      pending = [];
      setRecords((known) => [...known.filter(({ n }) => n < (batch[0]?.n ?? 0)), ...batch]);
    };
    const connect = () => {
      source = new EventSource(urlOf(`/v1/runs/${runId}/stream`, { after: last.current }));
      source.addEventListener("open", () => setLink("live"));
      source.addEventListener("record", (event: MessageEvent<string>) => {
        const record = JSON.parse(event.data) as TimedRecord;
        last.current = record.n;
        pending.push(record);
        frame ??= requestAnimationFrame(flush);
      });
      source.addEventListener("run", (event: MessageEvent<string>) => {
        const run = JSON.parse(event.data) as Run;
        queries.setQueryData(runQuery(runId).queryKey, run);
        if (!hasEnded(run)) return;
        source?.close();
        setLink("over");
      });
      source.addEventListener("error", () => {
        source?.close();
        setLink("lost");
        timer = setTimeout(connect, AGAIN_MS);
      });
    };
    setLink("connecting");
    connect();
    return () => {
      source?.close();
      clearTimeout(timer);
      if (frame === undefined) return;
      cancelAnimationFrame(frame);
      flush();
    };
  }, [runId, begun, queries]);

  return { records, link };
}

export function hasEnded({ status }: Pick<Run, "status">): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
