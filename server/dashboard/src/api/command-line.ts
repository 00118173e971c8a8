/** What somebody would type for the same thing. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** A word as a POSIX shell takes it, whatever it holds. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function aikiCommand(
  words: readonly string[],
  flags: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  return ["aiki", ...words, ...given].map(shellWord).join(" ");
}
