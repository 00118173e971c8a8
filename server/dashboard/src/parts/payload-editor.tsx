import type { JsonValue } from "@aikirun/protocol/canonical";
import { useEffect, useState } from "react";
import { Field } from "./field.js";
import { type Fault, faultsOf, type Schema, shapeOf } from "./json-schema.js";
import { SchemaForm } from "./schema-form.js";
import styles from "./schema-form.module.css";
import { Switch } from "./switch.js";

/** What somebody is typing: a value, or text that is none yet. */
export interface Draft {
  readonly value: JsonValue | undefined;
  readonly faults: readonly Fault[];
  /** Why the text is no JSON. */
  readonly broken?: string;
}

const MODES = [
  ["form", "Form"],
  ["json", "JSON"],
] as const;
type Mode = (typeof MODES)[number][0];

interface EditorProps {
  readonly label: string;
  readonly schema: Schema | undefined;
  readonly draft: Draft;
  readonly change: (draft: Draft) => void;
  /** Somebody has tried to send it: what is missing is wrong now. */
  readonly reveal: boolean;
}

/** A form where a schema says what is wanted, and JSON for everything else; both show what is wrong while one types. */
export function PayloadEditor({ label, schema, draft, change, reveal }: EditorProps) {
  const hasForm = schema !== undefined && shapeOf(schema, schema).type !== "any";
  const [mode, setMode] = useState<Mode>(hasForm ? "form" : "json");
  const [text, setText] = useState(() => textOf(draft.value));
  useFaults(schema, draft, change);

  const type = (next: string) => {
    setText(next);
    change(parse(next, draft));
  };
  const switchTo = (next: Mode) => {
    setText(textOf(draft.value));
    setMode(next);
  };
  const onForm = mode === "form" && schema !== undefined;
  const told = draft.faults.filter(({ missing }) => reveal || (!onForm && !missing));
  const loose = onForm ? told.filter(({ path }) => path === "") : told;
  return (
    <div className={styles["editor"]}>
      {hasForm && <Switch choices={MODES} chosen={onForm ? "form" : "json"} choose={switchTo} />}
      {onForm ? (
        <SchemaForm
          schema={schema}
          whole={schema}
          value={draft.value}
          change={(value) => change({ value, faults: draft.faults })}
          faults={reveal ? draft.faults : draft.faults.filter(({ missing }) => !missing)}
          path=""
          label={label}
          required
        />
      ) : (
        <Field label={`${label} (JSON)`} wrong={draft.broken} hint="Leave it empty for none.">
          {(id) => (
            <textarea
              id={id}
              className="code"
              rows={8}
              spellCheck={false}
              aria-invalid={draft.broken !== undefined || loose.length > 0}
              value={text}
              onChange={({ target }) => type(target.value)}
            />
          )}
        </Field>
      )}
      {loose.length > 0 && (
        <ul className={styles["faults"]} aria-label="What does not fit">
          {loose.map(({ path, message }) => (
            <li key={path + message}>
              {path && <code>{path}</code>} {message}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function useFaults(schema: Schema | undefined, draft: Draft, change: (draft: Draft) => void): void {
  const { value, broken } = draft;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new value is looked at again.
  useEffect(() => {
    if (!schema || broken !== undefined) return;
    let over = false;
    void faultsOf(value, schema).then((faults) => {
      if (!over && JSON.stringify(faults) !== JSON.stringify(draft.faults)) change({ ...draft, faults });
    });
    return () => {
      over = true;
    };
  }, [value, broken, schema]);
}

function parse(text: string, before: Draft): Draft {
  if (text.trim() === "") return { value: undefined, faults: before.faults };
  try {
    return { value: JSON.parse(text) as JsonValue, faults: before.faults };
  } catch (error) {
    return { ...before, broken: `This is not JSON yet: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function textOf(value: JsonValue | undefined): string {
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}
