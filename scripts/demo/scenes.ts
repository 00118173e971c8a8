/** The runs that the demo starts, and what must come out of them. */
import type { Client } from "@aikirun/client";
import { albumV1, orderV1, trialV1, tripV1 } from "@examples/workflows";

export interface Scene {
  /** What the timeline calls it. */
  readonly name: string;
  /** What happens, for a reader. */
  readonly title: string;
  /** Which framework serves it. */
  readonly servedBy: string;
  /** Starts the run and resolves with its id. */
  start(aiki: Client): Promise<string>;
  readonly output: Readonly<Record<string, unknown>>;
}

const album: Scene = {
  name: "album",
  title: "100 photos are shrunk at the same time",
  servedBy: "Hono",
  start: async (aiki) => (await albumV1.start(aiki, { photos: 100 })).id,
  output: { photos: 100 },
};

const trip: Scene = {
  name: "trip",
  title: "a concert is sold out, so the train and the hotel are given back",
  servedBy: "Hono",
  start: async (aiki) => (await tripV1.start(aiki, { traveller: "Noor", soldOut: "concert" })).id,
  output: { booked: [] },
};

const paidTrial: Scene = {
  name: "trial of ada",
  title: "a trial of 14 days ends early, because a payment arrives",
  servedBy: "Next.js pages",
  async start(aiki) {
    const handle = await trialV1.start(aiki, { account: "ada", lasts: { days: 14 } });
    await handle.events.paid.send({ plan: "team" });
    return handle.id;
  },
  output: { account: "ada", plan: "team" },
};

const freeTrial: Scene = {
  name: "trial of bob",
  title: "a trial of 6 seconds runs out",
  servedBy: "Next.js pages",
  start: async (aiki) => (await trialV1.start(aiki, { account: "bob", lasts: { seconds: 6 } })).id,
  output: { account: "bob", plan: "free" },
};

/** The orchestrator is killed while its courier rides. */
export const order: Scene = {
  name: "order",
  title: "a restaurant accepts, a courier of the Express app rides for 4 seconds, a survey follows",
  servedBy: "Next.js app",
  async start(aiki) {
    const times = { acceptWithin: { minutes: 5 }, ride: { seconds: 4 }, surveyAfter: { seconds: 2 } };
    const handle = await orderV1.start(aiki, { order: "ramen-42", guest: "Chidi", ...times });
    await handle.events.accepted.send({ minutes: 20 });
    return handle.id;
  },
  output: { order: "ramen-42", delivered: true },
};

export const scenes: readonly Scene[] = [order, freeTrial, paidTrial, trip, album];
