import type { OpenWait, Run } from "@aikirun/protocol";
import { Clock, Inbox, type LucideIcon, RadioTower, RotateCw, Split } from "lucide-react";
import { useState } from "react";
import { Button } from "../../parts/button.js";
import { RunLink } from "../../parts/ident.js";
import { plural } from "../../parts/text.js";
import { Until } from "../../parts/time.js";
import styles from "./run.module.css";

const ICONS: Readonly<Record<OpenWait["kind"], LucideIcon>> = {
  sleep: Clock,
  event: Inbox,
  child: Split,
  retry: RotateCw,
  endpoint: RadioTower,
};
const FEW = 8;

export function Waits({ run }: { readonly run: Run }) {
  const [all, setAll] = useState(false);
  const shown = all ? run.waitsFor : run.waitsFor.slice(0, FEW);
  const more = run.waitsFor.length - shown.length;
  return (
    <section className={styles["waiting"]}>
      <h2>Waits for</h2>
      <ul className={styles["waits"]}>
        {shown.map((wait, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two waits of one name are told apart by their order.
          <Wait key={`${wait.kind} ${wait.name} ${i}`} wait={wait} />
        ))}
      </ul>
      {more > 0 && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          Show {plural(more, "more", "more")}
        </Button>
      )}
    </section>
  );
}

function Wait({ wait }: { readonly wait: OpenWait }) {
  const Icon = ICONS[wait.kind];
  return (
    <li>
      <Icon size={15} aria-hidden />
      <span className={styles["kind"]}>{wait.kind}</span>
      <span className={styles["name"]} title={wait.name}>
        {wait.runId ? <RunLink id={wait.runId} /> : wait.name}
      </span>
      <span>{wait.at === undefined ? "no time limit" : <Until at={wait.at} />}</span>
    </li>
  );
}
