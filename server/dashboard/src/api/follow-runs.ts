/** The newest runs of a filter as they change. What arrives is merged by id into what is on the page. */
import type { StreamedChanges, StreamedRuns } from "@aikirun/protocol";
import { useEffect, useRef, useState } from "react";
import { type Query, urlOf } from "./request.js";

const AGAIN_MS = 2_000;

export type Change = StreamedChanges & { readonly whole: boolean };

/** Returns whether the page is being told. */
export function useRunsStream(filter: Query, limit: number, see: (change: Change) => void): boolean {
  const [live, setLive] = useState(false);
  const seen = useRef(see);
  seen.current = see;
  const url = urlOf("/v1/stream", { ...filter, limit });

  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const connect = () => {
      source = new EventSource(url);
      source.addEventListener("open", () => setLive(true));
      source.addEventListener("runs", (event: MessageEvent<string>) => {
        const { runs } = JSON.parse(event.data) as StreamedRuns;
        seen.current({ runs, gone: [], whole: true });
      });
      source.addEventListener("changes", (event: MessageEvent<string>) => {
        seen.current({ ...(JSON.parse(event.data) as StreamedChanges), whole: false });
      });
      source.addEventListener("error", () => {
        setLive(false);
        source?.close();
        timer = setTimeout(connect, AGAIN_MS);
      });
    };
    connect();
    return () => {
      source?.close();
      clearTimeout(timer);
    };
  }, [url]);

  return live;
}
