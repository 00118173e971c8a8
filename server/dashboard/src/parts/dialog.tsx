import { Dialog as Base } from "@base-ui/react/dialog";
import { type FormEvent, type ReactNode, useState } from "react";
import { Button } from "./button.js";
import styles from "./dialog.module.css";
import { Problem } from "./notice.js";

interface DialogProps {
  readonly open: boolean;
  readonly close: () => void;
  readonly title: string;
  readonly text?: ReactNode;
  readonly children?: ReactNode;
}

export function Dialog({ open, close, title, text, children }: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && close()}>
      <Base.Portal>
        <Base.Backdrop className={styles["backdrop"]} />
        <Base.Popup className={styles["popup"]}>
          <Base.Title>{title}</Base.Title>
          {text && <Base.Description>{text}</Base.Description>}
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** A question with one way to say yes. Stays open, with the reason, when doing it fails. */
export function Confirm({
  act,
  label,
  danger = false,
  children,
  disabled = false,
  stays = false,
  check = () => true,
  ...dialog
}: DialogProps & {
  readonly act: () => Promise<unknown>;
  readonly label: string;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  /** What stays when it is done shows something else in this place. */
  readonly stays?: boolean;
  /** Says no before anything is done: what is wrong shows in the form. */
  readonly check?: () => boolean;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!check()) return;
    setBusy(true);
    setError(undefined);
    try {
      await act();
      if (!stays) dialog.close();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  };
  const close = () => {
    setError(undefined);
    dialog.close();
  };
  return (
    <Dialog {...dialog} close={close}>
      <form onSubmit={(event) => void submit(event)} className={styles["form"]}>
        {children}
        {error !== undefined && <Problem error={error} />}
        <div className={styles["foot"]}>
          <Button onClick={close}>Back</Button>
          <Button kind={danger ? "danger" : "primary"} type="submit" disabled={busy || disabled}>
            {busy ? "Working …" : label}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
