import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { registerEndpoint } from "../../api/actions.js";
import { aikiCommand } from "../../api/command-line.js";
import { Confirm } from "../../parts/dialog.js";
import { Field } from "../../parts/field.js";
import { Command } from "../../parts/notice.js";
import { plural } from "../../parts/text.js";
import { say } from "../../parts/toast.js";

export function Register({ close }: { readonly close: () => void }) {
  const queries = useQueryClient();
  const [url, setUrl] = useState("");
  const [name, setName] = useState("");
  const act = async () => {
    const endpoint = await registerEndpoint(url.trim(), name.trim() || undefined);
    say(`Registered ${endpoint.name}`, `It serves ${plural(endpoint.workflows.length, "version")}.`);
    await queries.invalidateQueries({ queryKey: ["endpoints"] });
  };
  const command = aikiCommand(["endpoints", "register", url.trim() || "https://app.example.com/api/aiki"], {
    name: name.trim() || undefined,
  });
  return (
    <Confirm
      open
      close={close}
      title="Register an endpoint"
      text="It is asked, with a signed request, what it serves. The same name again moves or refreshes it."
      label="Register"
      disabled={!URL.canParse(url.trim())}
      act={act}
    >
      <Field label="URL">
        {(id) => (
          <input
            id={id}
            type="url"
            placeholder="https://app.example.com/api/aiki"
            value={url}
            onChange={({ target }) => setUrl(target.value)}
          />
        )}
      </Field>
      <Field label="Name (optional)" hint="Without one it is its URL.">
        {(id) => <input id={id} value={name} onChange={({ target }) => setName(target.value)} />}
      </Field>
      <Command text={command} />
    </Confirm>
  );
}
