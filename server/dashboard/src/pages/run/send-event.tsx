import type { Run } from "@aikirun/protocol";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { sendEvent } from "../../api/actions.js";
import { workflowQuery } from "../../api/queries.js";
import { Confirm } from "../../parts/dialog.js";
import { Field } from "../../parts/field.js";
import { startValue } from "../../parts/json-schema.js";
import { type Draft, PayloadEditor } from "../../parts/payload-editor.js";
import { say } from "../../parts/toast.js";

const NOTHING: Draft = { value: undefined, faults: [] };

/** Offers what the workflow declares, and first what the run waits for; any other name can be typed. */
export function SendEvent({ run, close }: { readonly run: Run; readonly close: () => void }) {
  const { data } = useQuery(workflowQuery(run.workflow, run.version));
  const declared = data?.events ?? [];
  const waited = run.waitsFor.filter(({ kind }) => kind === "event").map(({ name }) => name);
  const names = [...new Set([...waited, ...declared.map(({ name }) => name)])];
  const [reveal, setReveal] = useState(false);
  const [typed, setTyped] = useState<string>();
  const [draft, setDraft] = useState<{ readonly of: string; readonly draft: Draft }>();
  const name = typed ?? names[0] ?? "";
  const schema = declared.find((event) => event.name === name)?.schema;
  const current =
    draft?.of === name ? draft.draft : { ...NOTHING, value: schema ? startValue(schema, schema) : undefined };

  const act = async () => {
    const { duplicate } = await sendEvent(run.id, name, current.value);
    say(duplicate ? "The run has it already" : `Sent ${name}`);
  };
  const check = () => {
    setReveal(true);
    return current.broken === undefined && current.faults.length === 0;
  };
  return (
    <Confirm
      open
      close={close}
      title="Send an event"
      text="It is kept until the run waits for it."
      label="Send"
      disabled={name === ""}
      check={check}
      act={act}
    >
      <Field label="Event" hint={waited.includes(name) ? "The run waits for it now." : undefined}>
        {(id) => (
          <>
            <input
              id={id}
              list={`${id}-names`}
              autoComplete="off"
              value={name}
              onChange={({ target }) => setTyped(target.value)}
            />
            <datalist id={`${id}-names`}>
              {names.map((one) => (
                <option key={one} value={one} />
              ))}
            </datalist>
          </>
        )}
      </Field>
      <PayloadEditor
        key={`${name} ${schema !== undefined}`}
        label="Data"
        schema={schema}
        draft={current}
        reveal={reveal}
        change={(next) => setDraft({ of: name, draft: next })}
      />
    </Confirm>
  );
}
