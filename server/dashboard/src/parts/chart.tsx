/** Lines over time, drawn by uPlot. Loaded by the pages that show some. */
import "uplot/dist/uPlot.min.css";
import { type CSSProperties, useEffect, useMemo, useRef, useState } from "react";
import UPlot from "uplot";
import styles from "./chart.module.css";
import { clockText, compactText, durationText } from "./text.js";

export interface Series {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly dashed?: boolean;
}

interface ChartProps {
  readonly label: string;
  readonly unit: "count" | "ms";
  readonly at: readonly number[];
  readonly series: readonly Series[];
}

const HEIGHT_PX = 150;
const DAY_MS = 86_400_000;

export function Chart({ label, unit, at, series }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  const theme = useTheme();
  const data = useMemo(
    () => [at.map((instant) => instant / 1_000), ...series.map(({ values }) => [...values])] as UPlot.AlignedData,
    [at, series],
  );
  const newest = useRef(data);
  newest.current = data;
  const plot = useRef<UPlot>(undefined);
  const names = series.map(({ name, colour }) => `${name} ${colour}`).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme, and other series, are another drawing.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const drawn = new UPlot(optionsOf(element, unit, series, setHovered), newest.current, element);
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = undefined;
    };
  }, [theme, names, unit]);
  useEffect(() => plot.current?.setData(data), [data]);

  const shown = hovered ?? at.length - 1;
  const instant = at[shown];
  return (
    <figure className={styles["chart"]}>
      <figcaption>
        <b>{label}</b>
        {series.map(({ name, colour, values, dashed }) => (
          <span
            key={name}
            className={`${styles["key"]} ${dashed ? styles["dashed"] : ""}`}
            style={{ "--c": `var(${colour})` } as CSSProperties}
          >
            <i />
            {name} <span>{valueText(values[shown] ?? null, unit)}</span>
          </span>
        ))}
      </figcaption>
      <div
        ref={box}
        className={styles["plot"]}
        role="img"
        aria-label={`${label}${instant === undefined ? "" : ` at ${clockText(instant)}`}: ${series
          .map(({ name, values }) => `${name} ${valueText(values[shown] ?? null, unit)}`)
          .join(", ")}`}
      />
    </figure>
  );
}

function valueText(value: number | null, unit: ChartProps["unit"]): string {
  if (value === null) return "–";
  return unit === "ms" ? durationText(value) : compactText(value);
}

function optionsOf(
  element: HTMLElement,
  unit: ChartProps["unit"],
  series: readonly Series[],
  hover: (index: number | null) => void,
): UPlot.Options {
  const colour = (name: string) => resolved(element, name);
  const axis = { stroke: colour("--ink-3"), font: "11px Inter, system-ui, sans-serif", ticks: { show: false } };
  const grid = { stroke: colour("--line"), width: 1 };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, unit === "ms" ? 10 : 4)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: 70, values: (_, splits) => splits.map(timeText) },
      {
        ...axis,
        grid,
        size: 52,
        space: 32,
        incrs: unit === "count" ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] : undefined,
        values: (_, splits) => splits.map((value) => valueText(value, unit)),
      } as UPlot.Axis,
    ],
    series: [
      {},
      ...series.map(({ name, colour: property, dashed }, i) => ({
        label: name,
        stroke: colour(property),
        width: 1.75,
        ...(i === 0 && { fill: `color-mix(in srgb, ${colour(property)} 10%, transparent)` }),
        ...(dashed && { dash: [4, 3] }),
        spanGaps: true,
        points: { show: true, size: 5, filter: alone },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => hover(cursor.idx ?? null)] },
  };
}

/** A value with none beside it makes no line: it gets a dot. */
function alone(plot: UPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isThere = (i: number) => values[i] !== null && values[i] !== undefined;
  return Array.from(values.keys()).filter((i) => isThere(i) && !isThere(i - 1) && !isThere(i + 1));
}

function timeText(seconds: number): string {
  const at = new Date(seconds * 1_000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  const isOld = Date.now() - at.getTime() > DAY_MS;
  return isMidnight && isOld
    ? at.toLocaleDateString(undefined, { day: "numeric", month: "short" })
    : clockText(at.getTime());
}

/** A canvas does not know custom properties, nor `light-dark()`. */
function resolved(element: HTMLElement, property: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${property})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Changes whenever the colours do. */
function useTheme(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const changed = () => setVersion((before) => before + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", changed);
    document.addEventListener("aiki-theme", changed);
    return () => {
      system.removeEventListener("change", changed);
      document.removeEventListener("aiki-theme", changed);
    };
  }, []);
  return version;
}
