/** Values and errors of somebody else's program. They are text, whatever is in them, and never become markup. */
import type { WireError } from "@aikirun/protocol";
import type { JsonValue } from "@aikirun/protocol/canonical";
import { useMemo, useState } from "react";
import { Button } from "./button.js";
import { Copy } from "./copy.js";
import styles from "./payload.module.css";

/** Characters that are drawn before somebody asks for all. */
const SHOWN_CHARS = 8_000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

export function Payload({ value, what }: { readonly value: JsonValue | undefined; readonly what: string }) {
  const text = useMemo(() => (value === undefined ? "" : JSON.stringify(value, null, 2)), [value]);
  const [all, setAll] = useState(false);
  if (value === undefined) return <p className={styles["none"]}>nothing</p>;
  const cut = text.length > SHOWN_CHARS && !all;
  return (
    <div className={styles["payload"]}>
      <span className={styles["copy"]}>
        <Copy text={text} what={what} />
      </span>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard. */}
      <pre tabIndex={0}>{cut ? text.slice(0, SHOWN_CHARS) : coloured(text)}</pre>
      {cut && (
        <div className={styles["all"]}>
          <Button kind="quiet" onClick={() => setAll(true)}>
            Show all {Math.round(text.length / 1_024)} KiB
          </Button>
        </div>
      )}
    </div>
  );
}

function coloured(text: string) {
  if (text.length > SHOWN_CHARS) return text;
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [, string, colon, number, word] = match;
    const token = string ?? number ?? word ?? "";
    const look = string === undefined ? (number === undefined ? "word" : "number") : colon ? "name" : "text";
    parts.push(text.slice(at, match.index));
    parts.push(
      <span key={match.index} className={styles[look]}>
        {token}
      </span>,
    );
    at = match.index + token.length;
  }
  parts.push(text.slice(at));
  return parts;
}

export function ErrorText({ error }: { readonly error: WireError }) {
  return (
    <div className={styles["error"]}>
      <p>
        <code>{error.code ?? error.name}</code> {error.message}
      </p>
      {error.stack && (
        <details open={!error.cause}>
          <summary>Stack</summary>
          <div className={styles["payload"]}>
            <span className={styles["copy"]}>
              <Copy text={error.stack} what="the stack" />
            </span>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard. */}
            <pre tabIndex={0}>{error.stack}</pre>
          </div>
        </details>
      )}
      {error.cause && (
        <div className={styles["cause"]}>
          <h3>Caused by</h3>
          <ErrorText error={error.cause} />
        </div>
      )}
    </div>
  );
}
