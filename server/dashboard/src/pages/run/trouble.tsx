import type { Trouble as TroubleData } from "@aikirun/protocol";
import { TriangleAlert } from "lucide-react";
import { Facts, Panel } from "../../parts/panel.js";
import { countText } from "../../parts/text.js";
import { Ago } from "../../parts/time.js";
import styles from "./run.module.css";

/** Why the last delivery failed, or why the run stands still until somebody looks. */
export function Trouble({ trouble, stalled }: { readonly trouble: TroubleData; readonly stalled: boolean }) {
  const { code, message, at, deliveries, since, divergence } = trouble;
  return (
    <Panel
      title={stalled ? "Stalled: it needs a person" : "The last delivery failed; it is tried again"}
      aside={<TriangleAlert size={16} color="var(--stalled)" aria-hidden />}
    >
      <div className={`${styles["stack"]} ${styles["trouble"]}`}>
        <p>
          <code>{code}</code> {message}
        </p>
        {divergence && (
          <div className={styles["two"]}>
            <Calls title="Recorded, and no longer asked for" calls={divergence.leftover} />
            <Calls title="Asked for, and not recorded" calls={divergence.asked} />
          </div>
        )}
        <Facts
          of={[
            ["Last", <Ago key="at" at={at} />],
            ["Failed deliveries in a row", deliveries > 0 ? countText(deliveries) : undefined],
            ["Since", since === undefined ? undefined : <Ago key="since" at={since} />],
          ]}
        />
      </div>
    </Panel>
  );
}

function Calls({ title, calls }: { readonly title: string; readonly calls: readonly string[] }) {
  return (
    <div>
      <h3>{title}</h3>
      <ul>
        {calls.map((call) => (
          <li key={call}>{call}</li>
        ))}
        {calls.length === 0 && <li>nothing</li>}
      </ul>
    </div>
  );
}
