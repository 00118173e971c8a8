import type { RunStatus } from "@aikirun/protocol";
import {
  Ban,
  CalendarClock,
  CircleCheck,
  CirclePause,
  CirclePlay,
  CircleX,
  Clock,
  Hourglass,
  ListStart,
  LoaderCircle,
  type LucideIcon,
  TriangleAlert,
} from "lucide-react";
import styles from "./status.module.css";

export type Shown = RunStatus | "healthy" | "unhealthy" | "draining" | "active";

const ICONS: Readonly<Record<Shown, LucideIcon>> = {
  scheduled: CalendarClock,
  queued: ListStart,
  running: LoaderCircle,
  suspended: Hourglass,
  paused: CirclePause,
  stalled: TriangleAlert,
  completed: CircleCheck,
  failed: CircleX,
  cancelled: Ban,
  healthy: CircleCheck,
  unhealthy: CircleX,
  draining: Clock,
  active: CirclePlay,
};

/** In the order of their urgency for whoever looks. */
export const STATUSES: readonly RunStatus[] = [
  "stalled",
  "failed",
  "running",
  "queued",
  "suspended",
  "scheduled",
  "paused",
  "completed",
  "cancelled",
];

/** Colour, icon and word: each alone says it. */
export function Status({
  status,
  size = "small",
}: {
  readonly status: Shown;
  readonly size?: "small" | "large" | "bare";
}) {
  const Icon = ICONS[status];
  const look = size === "small" ? "" : styles[size];
  const turning = status === "running" ? styles["turning"] : "";
  return (
    <span className={`${styles["status"]} ${styles[status]} ${look} ${turning}`} data-status={status}>
      <Icon size={size === "large" ? 16 : 14} aria-hidden />
      {status}
    </span>
  );
}
