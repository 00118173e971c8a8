import type { RunStatus } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol/canonical";
import { Menu } from "@base-ui/react/menu";
import { useQueryClient } from "@tanstack/react-query";
import { ChevronDown } from "lucide-react";
import { useState } from "react";
import { type BulkVerb, controlRuns } from "../../api/actions.js";
import { buttonClass } from "../../parts/button.js";
import { Confirm } from "../../parts/dialog.js";
import menu from "../../parts/menu.module.css";
import { plural } from "../../parts/text.js";
import { say } from "../../parts/toast.js";
import type { RunSearch } from "../../shell/router.js";
import { bulkFilterOf, filterText, statusesOf } from "./filter.js";

interface Kind {
  readonly verb: BulkVerb;
  readonly button: string;
  readonly hint: string;
  readonly label: string;
  readonly reaches: readonly RunStatus[];
  readonly means: string;
  readonly done: string;
}

const KINDS: readonly Kind[] = [
  {
    verb: "retry",
    button: "Retry …",
    hint: "all failed runs of this filter",
    label: "Retry all of them",
    reaches: ["failed"],
    means: "Each failed run is opened again: what was recorded stays, what failed runs once more.",
    done: "opened again",
  },
  {
    verb: "requeue",
    button: "Requeue …",
    hint: "all stalled runs of this filter",
    label: "Requeue all of them",
    reaches: ["stalled"],
    means: "Each stalled run goes on from where it stands.",
    done: "requeued",
  },
  {
    verb: "cancel",
    button: "Cancel …",
    hint: "all runs of this filter that have not ended",
    label: "Cancel all of them",
    reaches: ["stalled", "running", "queued", "suspended", "scheduled", "paused"],
    means:
      "Each run that has not ended is cancelled at its next commit, and its children with it. A cancelled run cannot be opened again.",
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
    const filter = bulkFilterOf(search, now, reachOf(kind, statuses));
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
      <Menu.Root>
        <Menu.Trigger
          className={buttonClass("plain", false)}
          disabled={Boolean(search.q)}
          title={search.q ? "Not for a search: use the other filters to say which runs" : undefined}
        >
          Act on all <ChevronDown size={14} aria-hidden />
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner sideOffset={6} align="end" className={menu["place"]}>
            <Menu.Popup className={menu["popup"]}>
              {KINDS.map((kind) => (
                <Menu.Item
                  key={kind.verb}
                  className={menu["item"]}
                  disabled={reachOf(kind, statuses).length === 0}
                  onClick={() => {
                    setProgress(0);
                    setOpen(kind);
                  }}
                >
                  <span>{kind.button}</span>
                  <small>{kind.hint}</small>
                </Menu.Item>
              ))}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
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

function reachOf({ reaches }: Kind, statuses: readonly RunStatus[]): readonly RunStatus[] {
  return statuses.length === 0 ? reaches : reaches.filter((one) => statuses.includes(one));
}

function listOf(kind: Kind, statuses: readonly RunStatus[]): string {
  return new Intl.ListFormat("en", { type: "disjunction" }).format(reachOf(kind, statuses));
}
