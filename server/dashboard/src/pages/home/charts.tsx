import type { StatsPoint } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { statsQuery } from "../../api/queries.js";
import { Chart } from "../../parts/chart.js";
import { Problem } from "../../parts/notice.js";
import styles from "./home.module.css";

type Value = (point: StatsPoint) => number | null;

const CHARTS: readonly {
  readonly label: string;
  readonly unit: "count" | "ms";
  readonly lines: readonly {
    readonly name: string;
    readonly colour: string;
    readonly value: Value;
    readonly dashed?: boolean;
  }[];
}[] = [
  {
    label: "Runs",
    unit: "count",
    lines: [
      { name: "Completed", colour: "--completed", value: ({ completed }) => completed },
      { name: "Started", colour: "--accent", value: ({ started }) => started, dashed: true },
    ],
  },
  {
    label: "Failures",
    unit: "count",
    lines: [
      { name: "Failed runs", colour: "--failed", value: ({ failed }) => failed },
      { name: "Failed pushes", colour: "--stalled", value: ({ pushes }) => pushes.failed, dashed: true },
    ],
  },
  {
    label: "Push latency",
    unit: "ms",
    lines: [
      { name: "Median", colour: "--accent", value: ({ pushes }) => pushes.latency?.p50Ms ?? null },
      { name: "95%", colour: "--suspended", value: ({ pushes }) => pushes.latency?.p95Ms ?? null, dashed: true },
    ],
  },
  {
    label: "Backlog",
    unit: "count",
    lines: [{ name: "Due, in nobody's hands", colour: "--scheduled", value: ({ backlog }) => backlog ?? null }],
  },
];

export function Charts({ rangeMs }: { readonly rangeMs: number }) {
  const { data, error, refetch } = useQuery(statsQuery(rangeMs));
  const drawn = useMemo(() => {
    const points = data?.points ?? [];
    const at = points.map((point) => point.at);
    return CHARTS.map(({ lines, ...chart }) => ({
      ...chart,
      at,
      series: lines.map(({ value, ...line }) => ({ ...line, values: points.map(value) })),
    }));
  }, [data]);
  if (error && !data) return <Problem error={error} again={() => void refetch()} />;
  return (
    <div className={styles["charts"]} aria-busy={data === undefined}>
      {drawn.map((chart) => (
        <div key={chart.label}>{data && <Chart {...chart} />}</div>
      ))}
    </div>
  );
}
