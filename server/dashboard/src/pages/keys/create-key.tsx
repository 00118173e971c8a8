import type { CreatedKey } from "@aikirun/protocol";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { createKey } from "../../api/actions.js";
import { keysQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { CopyButton } from "../../parts/copy.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import dialog from "../../parts/dialog.module.css";
import { Field } from "../../parts/field.js";

const SCOPES = ["read", "write", "admin"] as const;
type Scope = (typeof SCOPES)[number];
const DAY_MS = 86_400_000;
const LIVES: readonly (readonly [string, number])[] = [
  ["Never", 0],
  ["In 30 days", 30],
  ["In 90 days", 90],
  ["In a year", 365],
];

export function CreateKey({ close }: { readonly close: () => void }) {
  const queries = useQueryClient();
  const [made, setMade] = useState<CreatedKey>();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Scope>("write");
  const [days, setDays] = useState(0);
  const act = async () => {
    const trimmed = name.trim();
    setMade(
      await createKey({
        scope,
        ...(trimmed && { name: trimmed }),
        ...(days > 0 && { expiresAt: Date.now() + days * DAY_MS }),
      }),
    );
    await queries.invalidateQueries({ queryKey: keysQuery.queryKey });
  };
  if (made) return <Secret made={made} close={close} />;
  return (
    <Confirm open close={close} title="New API key" label="Create" act={act} stays>
      <Field label="Name (optional)" hint="Who or what uses it.">
        {(id) => <input id={id} value={name} onChange={({ target }) => setName(target.value)} />}
      </Field>
      <Field label="Scope" hint="read looks, write starts and steers runs, admin also registers and makes keys">
        {(id) => (
          <select id={id} value={scope} onChange={({ target }) => setScope(target.value as Scope)}>
            {SCOPES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Expires">
        {(id) => (
          <select id={id} value={days} onChange={({ target }) => setDays(Number(target.value))}>
            {LIVES.map(([label, length]) => (
              <option key={length} value={length}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Field>
    </Confirm>
  );
}

/** The only time that the key itself is seen. */
function Secret({ made, close }: { readonly made: CreatedKey; readonly close: () => void }) {
  return (
    <Dialog open close={close} title="The key" text="Copy it now: only its hash is kept, and it is not shown again.">
      <code className={dialog["secret"]} data-secret>
        {made.secret}
      </code>
      <div className={dialog["foot"]}>
        <CopyButton text={made.secret}>Copy the key</CopyButton>
        <Button kind="primary" onClick={close}>
          Done
        </Button>
      </div>
    </Dialog>
  );
}
