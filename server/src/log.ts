/** One line per thing that happened, with ids. Never a payload, a header's value, a token or a URL's query. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export const SILENT: Log = { info() {}, warn() {}, error() {} };
