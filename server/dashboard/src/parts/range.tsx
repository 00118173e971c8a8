import { Switch } from "./switch.js";

const HOUR_MS = 3_600_000;
const RANGES = { "1h": HOUR_MS, "6h": 6 * HOUR_MS, "24h": 24 * HOUR_MS, "7d": 168 * HOUR_MS } as const;
const DEFAULT = "1h";

export function rangeOf(name: string | undefined): number {
  return RANGES[(name ?? DEFAULT) as keyof typeof RANGES] ?? RANGES[DEFAULT];
}

export function RangeSwitch({
  value = DEFAULT,
  choose,
}: {
  readonly value?: string | undefined;
  readonly choose: (name: string) => void;
}) {
  return <Switch choices={Object.keys(RANGES).map((name) => [name, name])} chosen={value} choose={choose} />;
}
