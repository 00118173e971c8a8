import type { ReactNode } from "react";
import styles from "./panel.module.css";
import { useTitle } from "./title.js";

export function Panel({
  title,
  aside,
  children,
  flush = false,
}: {
  readonly title?: ReactNode;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  /** The content brings its own margins: a table. */
  readonly flush?: boolean;
}) {
  return (
    <section className={styles["panel"]}>
      {title !== undefined && (
        <header className={styles["head"]}>
          <h2>{title}</h2>
          {aside}
        </header>
      )}
      <div className={flush ? undefined : styles["body"]}>{children}</div>
    </section>
  );
}

/** The page's name, a line about it, and its one primary action. */
export function PageHead({
  title,
  children,
  actions,
}: {
  readonly title: ReactNode;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}) {
  useTitle(typeof title === "string" ? title : undefined);
  return (
    <header className={styles["page"]}>
      <div>
        <h1>{title}</h1>
        {children && <p>{children}</p>}
      </div>
      {actions && <div className={styles["actions"]}>{actions}</div>}
    </header>
  );
}

/** Names and values, side by side where there is room. What is undefined is left out. */
export function Facts({ of }: { readonly of: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className={styles["facts"]}>
      {of
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
