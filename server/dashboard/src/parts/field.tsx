import { type ReactNode, useId } from "react";
import styles from "./field.module.css";

/** A label, what it labels, and what is wrong with it. */
export function Field({
  label,
  hint,
  wrong,
  children,
}: {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly wrong?: string | undefined;
  readonly children: (id: string) => ReactNode;
}) {
  const id = useId();
  return (
    <div className={styles["field"]}>
      <label htmlFor={id}>{label}</label>
      {children(id)}
      {wrong ? (
        <p className={styles["wrong"]} role="alert">
          {wrong}
        </p>
      ) : (
        hint && <p className={styles["hint"]}>{hint}</p>
      )}
    </div>
  );
}

export const inputClass = styles["input"];
