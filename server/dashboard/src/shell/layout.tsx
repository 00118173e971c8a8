import { Dialog } from "@base-ui/react/dialog";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import {
  CalendarClock,
  House,
  KeyRound,
  ListTree,
  LogOut,
  type LucideIcon,
  Menu,
  RadioTower,
  Workflow,
} from "lucide-react";
import { useEffect, useState } from "react";
import { signOut } from "../api/actions.js";
import { attentionQuery, sessionQuery } from "../api/queries.js";
import { Button } from "../parts/button.js";
import { Mark } from "../parts/mark.js";
import styles from "./layout.module.css";
import { ThemeSwitch } from "./theme-switch.js";

const PAGES = [
  { to: "/", name: "Home", icon: House },
  { to: "/runs", name: "Runs", icon: ListTree },
  { to: "/workflows", name: "Workflows", icon: Workflow },
  { to: "/endpoints", name: "Endpoints", icon: RadioTower },
  { to: "/schedules", name: "Schedules", icon: CalendarClock },
] as const;

export function Layout() {
  return (
    <div className={styles["frame"]}>
      <a href="#content" className={styles["skip"]}>
        Skip to the page
      </a>
      <aside className={styles["side"]}>
        <Side />
      </aside>
      <div className={styles["bar"]}>
        <Brand />
        <ThemeSwitch />
        <Drawer />
      </div>
      <main id="content" className={styles["content"]} tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

function Brand() {
  return (
    <Link to="/" className={styles["brand"]}>
      <Mark size={22} />
      Aiki
    </Link>
  );
}

function Side() {
  return (
    <>
      <Brand />
      <Navigation />
      <Foot />
    </>
  );
}

function Navigation() {
  const { data: session } = useQuery(sessionQuery);
  const { data: attention } = useQuery(attentionQuery);
  const needs = attention ? attention.stalled.count + attention.endpoints.length + attention.unserved.length : 0;
  return (
    <nav className={styles["nav"]} aria-label="Pages">
      {PAGES.map(({ to, name, icon }) => (
        <Entry key={to} to={to} name={name} icon={icon} mark={to === "/" ? needs : 0} />
      ))}
      {session?.scope === "admin" && <Entry to="/keys" name="Keys" icon={KeyRound} mark={0} />}
    </nav>
  );
}

function Entry({
  to,
  name,
  icon: Icon,
  mark,
}: {
  readonly to: (typeof PAGES)[number]["to"] | "/keys";
  readonly name: string;
  readonly icon: LucideIcon;
  readonly mark: number;
}) {
  return (
    <Link to={to} activeOptions={{ exact: to === "/", includeSearch: false }} activeProps={{ "aria-current": "page" }}>
      <Icon size={16} aria-hidden />
      {name}
      {mark > 0 && (
        <span className={styles["mark"]} title="need a person">
          {mark > 99 ? "99+" : mark}
          <span className="visually-hidden"> need a person</span>
        </span>
      )}
    </Link>
  );
}

function Foot() {
  const { data: session } = useQuery(sessionQuery);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    await signOut();
    await navigate({ to: "/sign-in" });
    queries.clear();
  };
  return (
    <div className={styles["foot"]}>
      {session && (
        <p className={styles["who"]} title={`Aiki ${session.version}`}>
          <strong>{session.namespace}</strong>
          {session.by === "nothing" ? "aiki dev" : `${session.scope} key`}
        </p>
      )}
      <ThemeSwitch />
      {session?.by === "cookie" && (
        <Button kind="quiet" icon onClick={() => void leave()} aria-label="Sign out" title="Sign out">
          <LogOut size={16} aria-hidden />
        </Button>
      )}
    </div>
  );
}

/** The same navigation where there is no room for it beside the page. */
function Drawer() {
  const [open, setOpen] = useState(false);
  const at = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: it closes because the page has changed.
  useEffect(() => setOpen(false), [at]);
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger render={<Button kind="quiet" icon aria-label="Menu" />}>
        <Menu size={18} aria-hidden />
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className={styles["backdrop"]} />
        <Dialog.Popup className={styles["drawer"]} aria-label="Menu">
          <Side />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
