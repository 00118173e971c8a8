import type { Run, RunStatus } from "@aikirun/protocol";
import { Menu } from "@base-ui/react/menu";
import { useQueryClient } from "@tanstack/react-query";
import { ChevronDown, Copy } from "lucide-react";
import { useState } from "react";
import { controlRun, type Verb } from "../../api/actions.js";
import { aikiCommand } from "../../api/command-line.js";
import { hasEnded } from "../../api/follow-run.js";
import { runQuery } from "../../api/queries.js";
import { Button, ButtonLink, buttonClass } from "../../parts/button.js";
import { copyText } from "../../parts/copy.js";
import { Confirm } from "../../parts/dialog.js";
import { Field } from "../../parts/field.js";
import menu from "../../parts/menu.module.css";
import { say, sayError } from "../../parts/toast.js";
import styles from "./run.module.css";
import { SendEvent } from "./send-event.js";

interface Action {
  readonly label: string;
  readonly done: string;
  /** The statuses in which it does something. */
  readonly for: readonly RunStatus[];
}

const ACTIONS: Readonly<Record<Exclude<Verb, "cancel">, Action>> = {
  retry: { label: "Retry", done: "Opened again", for: ["failed"] },
  requeue: { label: "Requeue", done: "Requeued", for: ["stalled"] },
  resume: { label: "Resume", done: "Told to go on", for: ["paused"] },
  wakeup: { label: "Wake up", done: "Told to wake up", for: ["scheduled", "suspended"] },
  pause: { label: "Pause", done: "Told to pause", for: ["scheduled", "queued", "running", "suspended"] },
};
const VERBS = Object.keys(ACTIONS) as (keyof typeof ACTIONS)[];

/** What a person may do now; the likeliest is the primary one. */
export function RunActions({ run }: { readonly run: Run }) {
  const queries = useQueryClient();
  const [dialog, setDialog] = useState<"cancel" | "event">();
  const ended = hasEnded(run);
  const possible = VERBS.filter((verb) => ACTIONS[verb].for.includes(run.status));
  const waitsForEvent = run.waitsFor.some(({ kind }) => kind === "event");
  const sleeps = run.status === "scheduled" || run.waitsFor.some(({ kind }) => kind === "sleep");
  const primary = waitsForEvent ? "event" : possible.find((verb) => verb !== "pause" && (verb !== "wakeup" || sleeps));

  const act = async (verb: Exclude<Verb, "cancel">) => {
    try {
      await controlRun(run.id, verb);
      say(ACTIONS[verb].done);
    } catch (error) {
      sayError(error);
    }
    // The stream tells of everything else; that of a run that had ended is over.
    if (ended) await queries.invalidateQueries({ queryKey: runQuery(run.id).queryKey });
  };

  return (
    <div className={styles["actions"]}>
      {possible
        .filter((verb) => verb !== "wakeup" || sleeps)
        .map((verb) => (
          <Button key={verb} kind={verb === primary ? "primary" : "plain"} onClick={() => void act(verb)}>
            {ACTIONS[verb].label}
          </Button>
        ))}
      {!ended && (
        <>
          <Button kind={primary === "event" ? "primary" : "plain"} onClick={() => setDialog("event")}>
            Send event …
          </Button>
          <Button onClick={() => setDialog("cancel")}>Cancel …</Button>
        </>
      )}
      {ended && (
        <ButtonLink
          kind={primary === undefined ? "primary" : "plain"}
          to="/start"
          search={{ workflow: run.workflow, version: run.version, from: run.id }}
        >
          Start another
        </ButtonLink>
      )}
      <CopyCommand run={run} verbs={possible} />
      <Cancel run={run} open={dialog === "cancel"} close={() => setDialog(undefined)} />
      {dialog === "event" && <SendEvent run={run} close={() => setDialog(undefined)} />}
    </div>
  );
}

function Cancel({ run, open, close }: { readonly run: Run; readonly open: boolean; readonly close: () => void }) {
  const [reason, setReason] = useState("");
  const act = async () => {
    await controlRun(run.id, "cancel", reason.trim());
    say("Cancelling", "It stops at its next commit, and its children with it.");
  };
  return (
    <Confirm
      open={open}
      close={close}
      title="Cancel this run?"
      text="It stops at its next commit, and its children with it. A cancelled run cannot be opened again."
      label="Cancel the run"
      danger
      act={act}
    >
      <Field label="Reason (optional)">
        {(id) => <input id={id} maxLength={1_000} value={reason} onChange={({ target }) => setReason(target.value)} />}
      </Field>
    </Confirm>
  );
}

/** The same things as commands, for a terminal or a colleague. */
function CopyCommand({ run, verbs }: { readonly run: Run; readonly verbs: readonly Verb[] }) {
  const commands: [string, string][] = [
    ["Watch", aikiCommand(["runs", "watch", run.id])],
    ["History", aikiCommand(["runs", "history", run.id])],
    ...verbs.map((verb): [string, string] => [
      ACTIONS[verb as keyof typeof ACTIONS].label,
      aikiCommand(["runs", verb, run.id]),
    ]),
    ...(hasEnded(run) ? [] : [["Cancel", aikiCommand(["runs", "cancel", run.id])] as [string, string]]),
    [
      "Start one like it",
      aikiCommand(["runs", "start", `${run.workflow}@${run.version}`], {
        input: run.input === undefined ? undefined : JSON.stringify(run.input),
      }),
    ],
  ];
  return (
    <Menu.Root>
      <Menu.Trigger className={buttonClass("plain", false)}>
        <Copy size={14} aria-hidden /> CLI <ChevronDown size={14} aria-hidden />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={6} align="end" className={menu["place"]}>
          <Menu.Popup className={menu["popup"]}>
            {commands.map(([name, command]) => (
              <Menu.Item
                key={name}
                className={menu["item"]}
                onClick={() => void copyText(command).then(() => say("Copied", command))}
              >
                <span>{name}</span>
                <code>{command}</code>
              </Menu.Item>
            ))}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
