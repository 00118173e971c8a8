import type { StartRunBody } from "@aikirun/protocol";
import type { JsonValue } from "@aikirun/protocol/canonical";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { startRun } from "../../api/actions.js";
import { aikiCommand } from "../../api/command-line.js";
import { Button } from "../../parts/button.js";
import { CopyButton } from "../../parts/copy.js";
import { Field } from "../../parts/field.js";
import type { Schema } from "../../parts/json-schema.js";
import { Problem } from "../../parts/notice.js";
import { Panel } from "../../parts/panel.js";
import { type Draft, PayloadEditor } from "../../parts/payload-editor.js";
import styles from "./start.module.css";

export interface Choice {
  readonly workflows: readonly {
    readonly name: string;
    readonly version: string;
    readonly endpoint?: string | undefined;
    readonly workers: number;
  }[];
  readonly name: string;
  readonly version: string;
}

interface StartFormProps extends Choice {
  readonly schema: Schema | undefined;
  readonly first: JsonValue | undefined;
}

export function StartForm({ workflows, name, version, schema, first }: StartFormProps) {
  const navigate = useNavigate();
  const [draft, setDraft] = useState<Draft>({ value: first, faults: [] });
  const [reference, setReference] = useState("");
  const [at, setAt] = useState("");
  const [error, setError] = useState<unknown>();
  const [reveal, setReveal] = useState(false);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setReveal(true);
    if (draft.broken !== undefined || draft.faults.length > 0) return;
    setBusy(true);
    setError(undefined);
    try {
      const { run } = await startRun(bodyOf(name, version, draft.value, reference.trim(), at));
      await navigate({ to: "/runs/$runId", params: { runId: run.id } });
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  };
  return (
    <form className={styles["form"]} onSubmit={(event) => void submit(event)}>
      <Panel>
        <Version workflows={workflows} name={name} version={version} />
      </Panel>
      <Panel title="Input">
        <PayloadEditor label="Input" schema={schema} draft={draft} change={setDraft} reveal={reveal} />
      </Panel>
      <details className={styles["more"]}>
        <summary>Reference and time</summary>
        <div className={styles["pair"]}>
          <Field label="Reference id (optional)" hint="The same id and input again is the same run.">
            {(id) => <input id={id} value={reference} onChange={({ target }) => setReference(target.value)} />}
          </Field>
          <Field label="Start at (optional)" hint="Empty: at once.">
            {(id) => <input id={id} type="datetime-local" value={at} onChange={({ target }) => setAt(target.value)} />}
          </Field>
        </div>
      </details>
      {error !== undefined && <Problem error={error} />}
      <div className={styles["foot"]}>
        <Button kind="primary" type="submit" disabled={busy}>
          {busy ? "Starting …" : "Start the run"}
        </Button>
        <CopyButton text={commandOf(name, version, draft.value, reference.trim())}>Copy as CLI command</CopyButton>
      </div>
    </form>
  );
}

function Version({ workflows, name, version }: Choice) {
  const navigate = useNavigate({ from: "/start" });
  const names = [...new Set([name, ...workflows.map((one) => one.name)])].sort();
  const versions = workflows.filter((one) => one.name === name);
  const chosen = versions.find((one) => one.version === version);
  const unserved = !chosen || (chosen.endpoint === undefined && chosen.workers === 0);
  return (
    <div className={styles["pair"]}>
      <Field label="Workflow">
        {(id) => (
          <select
            id={id}
            value={name}
            onChange={({ target }) => void navigate({ search: { workflow: target.value }, replace: true })}
          >
            {names.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
      </Field>
      <Field
        label="Version"
        wrong={unserved ? "Nobody serves this version now: the run waits until somebody does." : undefined}
      >
        {(id) => (
          <select
            id={id}
            value={version}
            onChange={({ target }) =>
              void navigate({ search: { workflow: name, version: target.value }, replace: true })
            }
          >
            {[...new Set([version, ...versions.map((one) => one.version)])].map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
      </Field>
    </div>
  );
}

function bodyOf(
  workflow: string,
  version: string,
  input: JsonValue | undefined,
  reference: string,
  at: string,
): StartRunBody {
  return {
    workflow,
    version,
    ...(input !== undefined && { input }),
    ...(reference !== "" && { reference: { id: reference } }),
    ...(at !== "" && { trigger: { type: "at", at: Date.parse(at) } }),
  };
}

function commandOf(workflow: string, version: string, input: JsonValue | undefined, reference: string): string {
  return aikiCommand(["runs", "start", `${workflow}@${version}`], {
    input: input === undefined ? undefined : JSON.stringify(input),
    reference: reference === "" ? undefined : reference,
  });
}
