import type { RunStatus } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol/canonical";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type BulkVerb, controlRuns } from "../../api/actions.js";
import { Button } from "../../parts/button.js";
import { Confirm } from "../../parts/dialog.js";
import { plural } from "../../parts/text.js";
import { say } from "../../parts/toast.js";
import type { RunSearch } from "../../shell/router.js";
import { bulkFilterOf, filterText, statusesOf } from "./filter.js";

interface Kind {
  readonly verb: BulkVerb;
  readonly button: string;
  readonly label: string;
  readonly reaches: readonly RunStatus[];
  readonly means: string;
  readonly done: string;
}

const KINDS: readonly Kind[] = [
  {
    verb: "retry",
    button: "Retry failed …",
    label: "Retry all of them",
    reaches: ["failed"],
    means: "Each failed run is opened again: what was recorded stays, what failed runs once more.",
    done: "opened again",
  },
  {
    verb: "requeue",
    button: "Requeue stalled …",
    label: "Requeue all of them",
    reaches: ["stalled"],
    means: "Each stalled run goes on from where it stands.",
    done: "requeued",
  },
  {
    verb: "cancel",
    button: "Cancel …",
    label: "Cancel all of them",
    reaches: ["stalled", "running", "queued", "suspended", "scheduled", "paused"],
    means: "Each run that has not ended is cancelled at its next commit, and its children with it. This is for good.",
    done: "told to stop",
  },
];

/** Acts on every run that the filter names, not only on those in sight; so it asks first, in words. */
export function Bulk({ search, now }: { readonly search: RunSearch; readonly now: number }) {
  const [open, setOpen] = useState<Kind>();
  const [progress, setProgress] = useState(0);
  const queries = useQueryClient();
  const statuses = statusesOf(search);

  const act = async (kind: Kind) => {
    const id = newId("msg");
    const reached = statuses.length === 0 ? kind.reaches : kind.reaches.filter((one) => statuses.includes(one));
    const filter = bulkFilterOf(search, now, reached);
    let sent = 0;
    let cursor: string | undefined;
    do {
      const result = await controlRuns(kind.verb, { id, filter, cursor });
      sent += result.sent;
      setProgress(sent);
      cursor = result.next;
    } while (cursor !== undefined);
    say(`${plural(sent, "run")} ${kind.done}`);
    await queries.invalidateQueries({ queryKey: ["runs", "counts"] });
  };

  return (
    <>
      {KINDS.filter(({ reaches }) => statuses.length === 0 || reaches.some((one) => statuses.includes(one))).map(
        (kind) => (
          <Button
            key={kind.verb}
            disabled={Boolean(search.q)}
            title={search.q ? "Not for a search: use the other filters to say which runs" : undefined}
            onClick={() => {
              setProgress(0);
              setOpen(kind);
            }}
          >
            {kind.button}
          </Button>
        ),
      )}
      {open && (
        <Confirm
          open
          close={() => setOpen(undefined)}
          title={`${open.label.replace("all of them", "runs")} ${filterText(search)}?`}
          text={`This reaches every run in the status ${listOf(open, statuses)}, also those not on this page. ${open.means}`}
          label={progress > 0 ? `${plural(progress, "run")} …` : open.label}
          danger={open.verb === "cancel"}
          act={() => act(open)}
        />
      )}
    </>
  );
}

function listOf({ reaches }: Kind, statuses: readonly RunStatus[]): string {
  const reached = statuses.length === 0 ? reaches : reaches.filter((one) => statuses.includes(one));
  return new Intl.ListFormat("en", { type: "disjunction" }).format(reached);
}
