/** What stands where data would: a problem, nothing yet, or not yet. */
import { CircleAlert, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { RequestError } from "../api/request.js";
import { Button } from "./button.js";
import { Copy } from "./copy.js";
import styles from "./notice.module.css";

/** The API's own words: its messages say what happened, what was expected and what to do. */
export function Problem({ error, again }: { readonly error: unknown; readonly again?: () => void }) {
  const code = error instanceof RequestError ? error.code : "INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  return (
    <div className={styles["problem"]} role="alert">
      <CircleAlert size={16} aria-hidden />
      <div>
        <code>{code}</code>
        <p>{message}</p>
      </div>
      {again && (
        <div className={styles["again"]}>
          <Button onClick={again}>Try again</Button>
        </div>
      )}
    </div>
  );
}

export function Empty({
  icon: Icon,
  title,
  children,
  command,
}: {
  readonly icon: LucideIcon;
  readonly title: string;
  readonly children?: ReactNode;
  /** What to type next. */
  readonly command?: string;
}) {
  return (
    <div className={styles["empty"]}>
      <Icon size={28} strokeWidth={1.5} aria-hidden />
      <h3>{title}</h3>
      {children && <p>{children}</p>}
      {command && (
        <div>
          <Command text={command} />
        </div>
      )}
    </div>
  );
}

export function Command({ text }: { readonly text: string }) {
  return (
    <div className={styles["command"]}>
      <code>{text}</code>
      <Copy text={text} what="the command" />
    </div>
  );
}

export function Loading({ rows = 5, what = "Loading" }: { readonly rows?: number; readonly what?: string }) {
  const lines = Array.from({ length: rows }, (_, i) => `line ${i}`);
  return (
    <div className={styles["loading"]} role="status" aria-label={what}>
      {lines.map((line) => (
        <span key={line} />
      ))}
    </div>
  );
}
