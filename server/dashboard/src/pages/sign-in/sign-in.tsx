import { useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { signIn } from "../../api/actions.js";
import { Button } from "../../parts/button.js";
import { Field } from "../../parts/field.js";
import { Mark } from "../../parts/mark.js";
import { Command, Problem } from "../../parts/notice.js";
import styles from "./sign-in.module.css";

export function SignIn() {
  const { back } = useSearch({ from: "/sign-in" });
  const router = useRouter();
  const queries = useQueryClient();
  const [apiKey, setApiKey] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await signIn(apiKey.trim());
      queries.clear();
      router.history.push(isOurs(back) ? back : "/");
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className={styles["page"]}>
      <form className={styles["card"]} onSubmit={(event) => void submit(event)}>
        <h1>
          <Mark size={26} /> Sign in to Aiki
        </h1>
        <Field label="API key">
          {(id) => (
            <input
              id={id}
              type="password"
              autoComplete="current-password"
              spellCheck={false}
              required
              placeholder="aiki_…"
              value={apiKey}
              onChange={(event) => setApiKey(event.target.value)}
            />
          )}
        </Field>
        {error !== undefined && <Problem error={error} />}
        <Button kind="primary" type="submit" disabled={busy || apiKey.trim() === ""}>
          {busy ? "Signing in …" : "Sign in"}
        </Button>
        <p>
          The key stays in a cookie that no script can read. A key with the scope <code>read</code> looks,{" "}
          <code>write</code> acts, <code>admin</code> also makes keys.
        </p>
        <Command text="aiki keys create --scope write" />
      </form>
    </main>
  );
}

/** A path of this page, never an address of somebody else's. */
function isOurs(path: string | undefined): path is string {
  return path !== undefined && /^\/(?![/\\])/.test(path);
}
