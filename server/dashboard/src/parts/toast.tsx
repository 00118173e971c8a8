/** A short word about what was just done, read out by screen readers too. */
import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import { RequestError } from "../api/request.js";
import { Button } from "./button.js";
import styles from "./toast.module.css";

const manager = Toast.createToastManager();
const SHOWN_MS = 5_000;
const ERROR_SHOWN_MS = 12_000;

export function say(title: string, description?: string): void {
  manager.add({ title, ...(description !== undefined && { description }), timeout: SHOWN_MS });
}

export function sayError(error: unknown): void {
  const title = error instanceof RequestError ? error.code : "That failed";
  const description = error instanceof Error ? error.message : String(error);
  manager.add({ title, description, type: "error", priority: "high", timeout: ERROR_SHOWN_MS });
}

export function Toasts() {
  return (
    <Toast.Provider toastManager={manager}>
      <Toast.Portal>
        <Toast.Viewport className={styles["viewport"]}>
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className={styles["toast"]}>
      <Toast.Content className={styles["content"]}>
        <Toast.Title className={styles["title"]} />
        <Toast.Description />
        <Toast.Close render={<Button kind="quiet" icon aria-label="Close" />}>
          <X size={14} aria-hidden />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}
