import { Check, Copy as CopyIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "./button.js";
import styles from "./button.module.css";

const SHOWN_MS = 1_500;

function useCopy(text: string): readonly [boolean, () => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, () => void copyText(text).then(() => setCopied(true))];
}

/** The clipboard is only for secure pages; an orchestrator on a plain http address still lets people copy. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** `what` completes "Copy …" for those who do not see the icon. */
export function Copy({ text, what }: { readonly text: string; readonly what: string }) {
  const [copied, copy] = useCopy(text);
  return (
    <button
      type="button"
      className={`${styles["copy"]} ${copied ? styles["copied"] : ""}`}
      aria-label={copied ? "Copied" : `Copy ${what}`}
      title={copied ? "Copied" : `Copy ${what}`}
      onClick={copy}
    >
      {copied ? <Check size={14} aria-hidden /> : <CopyIcon size={14} aria-hidden />}
    </button>
  );
}

export function CopyButton({ text, children }: { readonly text: string; readonly children: string }) {
  const [copied, copy] = useCopy(text);
  return (
    <Button onClick={copy}>
      {copied ? <Check size={14} aria-hidden /> : <CopyIcon size={14} aria-hidden />}
      {copied ? "Copied" : children}
    </Button>
  );
}
