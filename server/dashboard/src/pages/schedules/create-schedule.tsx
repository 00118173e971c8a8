import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { activateSchedule } from "../../api/actions.js";
import { workflowQuery, workflowsQuery } from "../../api/queries.js";
import { Confirm } from "../../parts/dialog.js";
import { Field } from "../../parts/field.js";
import { startValue } from "../../parts/json-schema.js";
import { type Draft, PayloadEditor } from "../../parts/payload-editor.js";
import { say } from "../../parts/toast.js";

export function CreateSchedule({ close }: { readonly close: () => void }) {
  const queries = useQueryClient();
  const { data } = useQuery(workflowsQuery);
  const versions = data?.workflows.map(({ name, version }) => ({ name, version, id: `${name}@${version}` })) ?? [];
  const [reveal, setReveal] = useState(false);
  const [picked, setPicked] = useState<string>();
  const [expression, setExpression] = useState("0 9 * * 1");
  const [timezone, setTimezone] = useState(Intl.DateTimeFormat().resolvedOptions().timeZone);
  const [reference, setReference] = useState("");
  const [draft, setDraft] = useState<{ readonly of: string; readonly draft: Draft }>();
  const chosen = versions.find(({ id }) => id === picked) ?? versions[0];
  const detail = useQuery({
    ...workflowQuery(chosen?.name ?? "", chosen?.version ?? ""),
    enabled: chosen !== undefined,
  });
  const schema = detail.data?.input;
  const current: Draft =
    draft && draft.of === chosen?.id ? draft.draft : { value: schema && startValue(schema, schema), faults: [] };

  const check = () => {
    setReveal(true);
    return current.broken === undefined && current.faults.length === 0;
  };
  const act = async () => {
    if (!chosen) return;
    await activateSchedule({
      workflow: chosen.name,
      version: chosen.version,
      recurrence: { type: "cron", expression: expression.trim(), timezone: timezone.trim() || "UTC" },
      ...(current.value !== undefined && { input: current.value }),
      ...(reference.trim() && { reference: { id: reference.trim() } }),
    });
    say("Scheduled");
    await queries.invalidateQueries({ queryKey: ["schedules"] });
  };
  return (
    <Confirm
      open
      close={close}
      title="New schedule"
      text="A run starts at each time that the cron expression names."
      label="Create"
      disabled={!chosen}
      check={check}
      act={act}
    >
      <Field label="Workflow" wrong={data && versions.length === 0 ? "No workflow is registered yet." : undefined}>
        {(id) => (
          <select id={id} value={chosen?.id ?? ""} onChange={({ target }) => setPicked(target.value)}>
            {versions.map((one) => (
              <option key={one.id}>{one.id}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Cron expression" hint="minute hour day month weekday; with seconds in front, six fields">
        {(id) => (
          <input id={id} className="code" value={expression} onChange={({ target }) => setExpression(target.value)} />
        )}
      </Field>
      <Field label="Time zone">
        {(id) => <input id={id} value={timezone} onChange={({ target }) => setTimezone(target.value)} />}
      </Field>
      <Field label="Reference id (optional)" hint="The same reference again changes this schedule.">
        {(id) => <input id={id} value={reference} onChange={({ target }) => setReference(target.value)} />}
      </Field>
      {chosen && !detail.isPending && (
        <PayloadEditor
          key={chosen.id}
          label="Input"
          schema={schema}
          draft={current}
          reveal={reveal}
          change={(next) => setDraft({ of: chosen.id, draft: next })}
        />
      )}
    </Confirm>
  );
}
