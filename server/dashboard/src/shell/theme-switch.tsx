import { Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { Button } from "../parts/button.js";

const KEY = "aiki-theme";
const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const ICONS = { system: Monitor, light: Sun, dark: Moon } as const;

/** Goes round: as the system says, light, dark. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(chosen);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const Icon = ICONS[theme];
  const choose = () => {
    apply(next);
    setTheme(next);
  };
  return (
    <Button
      kind="quiet"
      icon
      onClick={choose}
      aria-label={`Theme: ${theme}. Switch to ${next}`}
      title={`Theme: ${theme}. Switch to ${next}`}
    >
      <Icon size={16} aria-hidden />
    </Button>
  );
}

function chosen(): Theme {
  const { theme } = document.documentElement.dataset;
  return theme === "light" || theme === "dark" ? theme : "system";
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  document.dispatchEvent(new Event("aiki-theme"));
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
}
