/** One request to the orchestrator. The session's cookie says who asks; a header that no form can send says it is us. */
export class RequestError extends Error {
  readonly code: string;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(status: number, code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = "RequestError";
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export type Query = Readonly<Record<string, string | number | undefined>>;

interface Options {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export function urlOf(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size > 0 ? `${path}?${search}` : path;
}

/** Throws `RequestError`. An answer without a body is `undefined`. */
export async function call<T>(method: string, path: string, { query, body, signal }: Options = {}): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json", "aiki-session": "1" };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(urlOf(path, query), {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new RequestError(
      0,
      "ORCHESTRATOR_UNREACHABLE",
      "The orchestrator does not answer. It is being tried again; see whether its process runs and whether you are online.",
    );
  }
  const text = await response.text();
  if (response.ok) return (text === "" ? undefined : JSON.parse(text)) as T;
  throw refusal(response.status, text);
}

function refusal(status: number, text: string): RequestError {
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; details?: never } };
    return new RequestError(status, error.code, error.message, error.details);
  } catch {
    return new RequestError(
      status,
      "BAD_RESPONSE",
      `Something in front of the orchestrator answered with status ${status}. Look at the proxy between this page and it.`,
    );
  }
}
