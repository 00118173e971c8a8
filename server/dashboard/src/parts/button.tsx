import { Link, type LinkProps } from "@tanstack/react-router";
import type { ComponentProps, ReactNode } from "react";
import styles from "./button.module.css";

type Kind = "plain" | "primary" | "danger" | "quiet";

interface ButtonProps extends Omit<ComponentProps<"button">, "className"> {
  readonly kind?: Kind;
  /** A square with nothing but an icon; needs an `aria-label`. */
  readonly icon?: boolean;
}

export function Button({ kind = "plain", icon = false, type = "button", ...rest }: ButtonProps) {
  return <button {...rest} type={type} className={buttonClass(kind, icon)} />;
}

/** A link that looks like a button, because it leads to where something is done. */
export function ButtonLink({
  kind = "plain",
  children,
  ...link
}: LinkProps & { readonly kind?: Kind; readonly children: ReactNode }) {
  return (
    <Link {...link} className={buttonClass(kind, false)}>
      {children}
    </Link>
  );
}

export function buttonClass(kind: Kind, icon: boolean): string {
  const look = kind === "plain" ? "" : (styles[kind] ?? "");
  return `${styles["button"]} ${look} ${icon ? styles["icon"] : ""}`;
}
