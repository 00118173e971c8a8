import type { JsonValue } from "@aikirun/protocol/canonical";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { Button } from "./button.js";
import { Field } from "./field.js";
import {
  type Fault,
  isObject,
  pointer,
  type Schema,
  type SchemaField,
  shapeOf,
  startValue,
  textOf,
} from "./json-schema.js";
import styles from "./schema-form.module.css";

interface FormProps {
  readonly schema: Schema;
  /** Where references of the schema are looked up. */
  readonly whole: Schema;
  readonly value: JsonValue | undefined;
  readonly change: (value: JsonValue | undefined) => void;
  readonly faults: readonly Fault[];
  /** JSON pointer of this value. */
  readonly path: string;
  readonly label: string;
  readonly required: boolean;
}

/** Fields for what a JSON Schema describes; what no field is for is typed as JSON. */
export function SchemaForm(props: FormProps) {
  const shape = shapeOf(props.schema, props.whole);
  if (shape.type === "object") return <ObjectFields {...props} fields={shape.fields} />;
  if (shape.type === "array") return <Items {...props} items={shape.items} />;
  if (shape.type === "boolean") return <Check {...props} />;
  return <Simple {...props} />;
}

function ObjectFields(props: FormProps & { readonly fields: readonly SchemaField[] }) {
  const { fields, value, change, path, label } = props;
  const object = isObject(value) ? value : {};
  const set = (name: string, next: JsonValue | undefined) => {
    const { [name]: _, ...rest } = object;
    change(next === undefined ? rest : { ...object, [name]: next });
  };
  return (
    <fieldset className={styles["group"]}>
      {path !== "" && <legend>{label}</legend>}
      {fields.map((field) => (
        <SchemaForm
          key={field.name}
          {...props}
          schema={field.schema}
          value={object[field.name]}
          change={(next) => set(field.name, next)}
          path={pointer(path, field.name)}
          label={textOf(field.schema, props.whole, "title") ?? field.name}
          required={field.required}
        />
      ))}
    </fieldset>
  );
}

function Items(props: FormProps & { readonly items: Schema }) {
  const { items, value, change, path, label, whole } = props;
  const list = Array.isArray(value) ? value : [];
  return (
    <fieldset className={styles["group"]}>
      <legend>{label}</legend>
      {list.map((item, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an item of a JSON array is known by its place.
        <div key={i} className={styles["item"]}>
          <SchemaForm
            {...props}
            schema={items}
            value={item}
            change={(next) => change(list.map((old, at) => (at === i ? (next ?? null) : old)))}
            path={`${path}/${i}`}
            label={`${label} ${i + 1}`}
            required
          />
          <Button
            kind="quiet"
            icon
            aria-label={`Remove ${label} ${i + 1}`}
            onClick={() => change(list.filter((_, at) => at !== i))}
          >
            <X size={14} aria-hidden />
          </Button>
        </div>
      ))}
      <div>
        <Button onClick={() => change([...list, startValue(items, whole) ?? ""])}>
          <Plus size={14} aria-hidden /> Add to {label}
        </Button>
      </div>
    </fieldset>
  );
}

function Check({ value, change, label }: FormProps) {
  return (
    <label className={styles["check"]}>
      <input type="checkbox" checked={value === true} onChange={({ target }) => change(target.checked)} />
      {label}
    </label>
  );
}

function Simple(props: FormProps) {
  const { schema, whole, value, change, faults, path, label, required } = props;
  const shape = shapeOf(schema, whole);
  const wrong = faults.find((fault) => fault.path === path)?.message;
  const invalid = wrong ? { "aria-invalid": true } : {};
  return (
    <Field label={required ? label : `${label} (optional)`} hint={textOf(schema, whole, "description")} wrong={wrong}>
      {(id) => {
        if (shape.type === "choice") {
          const at = shape.options.findIndex((option) => JSON.stringify(option) === JSON.stringify(value));
          return (
            <select
              id={id}
              {...invalid}
              value={at}
              onChange={({ target }) => change(shape.options[Number(target.value)])}
            >
              <option value={-1}>–</option>
              {shape.options.map((option, i) => (
                <option key={JSON.stringify(option)} value={i}>
                  {typeof option === "string" ? option : JSON.stringify(option)}
                </option>
              ))}
            </select>
          );
        }
        if (shape.type === "number" || shape.type === "integer") {
          return (
            <input
              id={id}
              {...invalid}
              type="number"
              step={shape.type === "integer" ? 1 : "any"}
              value={typeof value === "number" ? value : ""}
              onChange={({ target }) => change(target.value === "" ? undefined : target.valueAsNumber)}
            />
          );
        }
        if (shape.type === "any") return <AnyJson id={id} value={value} change={change} />;
        const text = typeof value === "string" ? value : "";
        const set = (next: string) => change(next === "" && !required ? undefined : next);
        return shape.type === "text" ? (
          <input id={id} {...invalid} value={text} onChange={({ target }) => set(target.value)} />
        ) : (
          <textarea id={id} {...invalid} value={text} onChange={({ target }) => set(target.value)} />
        );
      }}
    </Field>
  );
}

/** Kept as typed while it is not JSON yet. */
function AnyJson({ id, value, change }: { readonly id: string } & Pick<FormProps, "value" | "change">) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value));
  const type = (next: string) => {
    setText(next);
    if (next.trim() === "") return change(undefined);
    try {
      change(JSON.parse(next) as JsonValue);
    } catch {
      // Half a value; the one before stays until this one is whole.
    }
  };
  return (
    <input id={id} className="code" value={text} placeholder="JSON" onChange={({ target }) => type(target.value)} />
  );
}
