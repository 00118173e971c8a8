/** What stands behind `?` is plain text, so that an address can be read, typed and kept. */
export type PlainSearch = Readonly<Record<string, string>>;

export function parseSearch(text: string): PlainSearch {
  return Object.fromEntries(new URLSearchParams(text));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const given = Object.entries(search).filter(([, value]) => typeof value === "string" && value !== "");
  const text = new URLSearchParams(given as [string, string][])
    .toString()
    .replaceAll("%2C", ",")
    .replaceAll("%3A", ":");
  return text === "" ? "" : `?${text}`;
}

/** Only these names, and only where they have a value. */
export function pick<Name extends string>(search: Record<string, unknown>, names: readonly Name[]) {
  const found: { [N in Name]?: string } = {};
  for (const name of names) {
    const value = search[name];
    if (typeof value === "string" && value !== "") found[name] = value;
  }
  return found;
}
