/** Text from elsewhere as a terminal may show it: control characters could move the cursor or recolour the rest. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, " ");
}

/** One line of at most `chars` characters. */
export function oneLine(text: string, chars: number): string {
  const line = printable(text).replace(/\s+/g, " ").trim();
  return line.length <= chars ? line : `${line.slice(0, chars - 1)}…`;
}

/** `41 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`, `14 d`: as exact as a person wants it. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${trimZeros((ms / 1_000).toFixed(2))} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return pair(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(minutes / 60);
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** `+1.250s` after the run began; hours and days when it has been long. */
export function offsetText(ms: number): string {
  return ms < 60_000 ? `+${(Math.max(ms, 0) / 1_000).toFixed(3)}s` : `+${durationText(ms).replaceAll(" ", "")}`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function trimZeros(text: string): string {
  return text.replace(/\.?0+$/, "");
}

/** An instant in local time, to the second. */
export function instantText(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
