"use server";

import { client } from "@aikirun/client";
import { trialV1 } from "@examples/workflows";

/** A server action: starting a run is one call, with nothing to wait for. */
export async function startTrial(form: FormData): Promise<void> {
  const account = String(form.get("account") ?? "").trim() || "ada";
  await trialV1.start(client(), { account, lasts: { minutes: 1 } });
}
