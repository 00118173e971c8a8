import { Link } from "@tanstack/react-router";
import { Copy } from "./copy.js";
import styles from "./ident.module.css";
import { shortId } from "./text.js";

/** An id or a reference: cut where it must be, whole on hover and in the clipboard. */
export function Ident({
  value,
  what,
  full = false,
}: {
  readonly value: string;
  readonly what: string;
  full?: boolean;
}) {
  return (
    <span className={styles["ident"]}>
      <span className={styles["text"]} title={value}>
        {full ? value : shortId(value)}
      </span>
      <Copy text={value} what={what} />
    </span>
  );
}

export function RunLink({ id }: { readonly id: string }) {
  return (
    <span className={styles["ident"]}>
      <Link to="/runs/$runId" params={{ runId: id }} className={styles["text"]} title={id}>
        {shortId(id)}
      </Link>
      <Copy text={id} what="the run's id" />
    </span>
  );
}
