import type { RunStatus } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { countsQuery } from "../../api/queries.js";
import { STATUSES, Status } from "../../parts/status.js";
import { compactText } from "../../parts/text.js";
import styles from "./runs.module.css";

/** How many runs there are in each status, of all runs: nobody counts those of a filter. Pressing one shows only these. */
export function Counts({
  filtered,
  chosen,
  choose,
}: {
  /** Something beside the status decides which runs are shown. */
  readonly filtered: boolean;
  readonly chosen: readonly RunStatus[];
  readonly choose: (statuses: readonly RunStatus[]) => void;
}) {
  const { data } = useQuery(countsQuery);
  return (
    <fieldset className={styles["counts"]} aria-label="Status">
      <button type="button" aria-pressed={chosen.length === 0} onClick={() => choose([])}>
        All
      </button>
      {STATUSES.map((status) => {
        const found = data?.counts[status];
        const pressed = chosen.includes(status);
        const next = pressed ? chosen.filter((one) => one !== status) : [...chosen, status];
        return (
          <button
            key={status}
            type="button"
            aria-pressed={pressed}
            className={found?.count || filtered ? undefined : styles["none"]}
            onClick={() => choose(next)}
          >
            <Status status={status} size="bare" />
            {!filtered && <b>{found === undefined ? "–" : `${compactText(found.count)}${found.more ? "+" : ""}`}</b>}
          </button>
        );
      })}
    </fieldset>
  );
}
