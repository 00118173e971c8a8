import type { ApiKey } from "@aikirun/protocol";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Ban, Clock, KeyRound } from "lucide-react";
import { useState } from "react";
import { revokeKey } from "../../api/actions.js";
import { keysQuery } from "../../api/queries.js";
import { Button } from "../../parts/button.js";
import { useNow } from "../../parts/clock.js";
import { type Column, DataTable } from "../../parts/data-table.js";
import { Confirm } from "../../parts/dialog.js";
import { Ident } from "../../parts/ident.js";
import { Empty, Loading, Problem } from "../../parts/notice.js";
import { PageHead, Panel } from "../../parts/panel.js";
import { Status } from "../../parts/status.js";
import table from "../../parts/table.module.css";
import { Ago, Until } from "../../parts/time.js";
import { say } from "../../parts/toast.js";
import { CreateKey } from "./create-key.js";

export function Keys() {
  const { data, error, refetch } = useQuery(keysQuery);
  const queries = useQueryClient();
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey>();
  const revoke = async () => {
    if (revoking) await revokeKey(revoking.id);
    say("Revoked", "Every orchestrator refuses it within 30 seconds.");
    await queries.invalidateQueries({ queryKey: keysQuery.queryKey });
  };
  return (
    <>
      <PageHead
        title="Keys"
        actions={
          <Button kind="primary" onClick={() => setCreating(true)}>
            New key …
          </Button>
        }
      >
        What apps, people and the command line show to be let in. Only a key's hash is kept.
      </PageHead>
      {error && !data ? (
        <Problem error={error} again={() => void refetch()} />
      ) : (
        <Panel flush>
          {!data && <Loading what="Loading keys" />}
          {data?.keys.length === 0 && (
            <Empty icon={KeyRound} title="No key has been made" command="aiki keys create --name ci --scope write">
              An app reads its key from <code>AIKI_API_KEY</code>.
            </Empty>
          )}
          {data && data.keys.length > 0 && <List keys={data.keys} revoke={setRevoking} />}
        </Panel>
      )}
      {creating && <CreateKey close={() => setCreating(false)} />}
      <Confirm
        open={revoking !== undefined}
        close={() => setRevoking(undefined)}
        title={`Revoke ${revoking?.name ?? "this key"}?`}
        text="Whoever uses it is refused from now on. This cannot be undone."
        label="Revoke"
        danger
        act={revoke}
      />
    </>
  );
}

function List({ keys, revoke }: { readonly keys: readonly ApiKey[]; readonly revoke: (key: ApiKey) => void }) {
  const columns: readonly Column<ApiKey>[] = [
    ...COLUMNS,
    {
      head: "",
      cell: (key) => (
        <span className={table["buttons"]}>
          {key.revokedAt === undefined && <Button onClick={() => revoke(key)}>Revoke …</Button>}
        </span>
      ),
    },
  ];
  return <DataTable label="API keys" columns={columns} rows={keys} keyOf={({ id }) => id} />;
}

const COLUMNS: readonly Column<ApiKey>[] = [
  { head: "Name", cell: ({ name }) => (name ? <span className={table["name"]}>{name}</span> : <small>none</small>) },
  { head: "State", cell: (key) => <State of={key} /> },
  { head: "Id", cell: ({ id }) => <Ident value={id} what="the key's id" /> },
  { head: "Scope", cell: ({ scope }) => scope },
  { head: "Namespace", cell: ({ namespace }) => namespace },
  { head: "Made", cell: ({ createdAt }) => <Ago at={createdAt} /> },
  {
    head: "Expires",
    cell: ({ expiresAt }) => (expiresAt === undefined ? <small>never</small> : <Until at={expiresAt} />),
  },
];

function State({ of }: { readonly of: ApiKey }) {
  const now = useNow();
  if (of.revokedAt !== undefined) {
    return (
      <span className={table["note"]}>
        <Ban size={14} aria-hidden /> revoked
      </span>
    );
  }
  if (of.expiresAt !== undefined && of.expiresAt <= now) {
    return (
      <span className={table["note"]}>
        <Clock size={14} aria-hidden /> expired
      </span>
    );
  }
  return <Status status="active" size="bare" />;
}
