import { TaskFailedError, task, workflow } from "@aikirun/workflow";

type Part = "train" | "hotel" | "concert";
const PARTS: readonly Part[] = ["train", "hotel", "concert"];

interface Booking {
  readonly part: Part;
  readonly traveller: string;
}

const book = task({
  name: "book",
  async handler({ part, traveller, soldOut }: Booking & { soldOut: boolean }, { logger }) {
    if (soldOut) throw new Error(`the ${part} is sold out`);
    logger.info(`${part} booked for ${traveller}`);
  },
});

const cancelBooking = task({
  name: "cancel-booking",
  // What was booked must be given back, however long the other side is away.
  retry: { type: "exponential", maxAttempts: 20, baseDelayMs: 500, maxDelayMs: 60_000 },
  async handler({ part, traveller }: Booking, { logger }) {
    logger.info(`${part} cancelled for ${traveller}`);
  },
});

/** A saga: books one part after the other and, when one cannot be had, cancels the others in reverse. */
export const tripV1 = workflow({ name: "trip" }).v("1.0.0", {
  async handler(run, input: { traveller: string; soldOut?: Part }) {
    const booked: Booking[] = [];
    try {
      for (const part of PARTS) {
        const booking = { part, traveller: input.traveller };
        await book.start(run, { ...booking, soldOut: part === input.soldOut });
        booked.push(booking);
      }
      return { booked: booked.map(({ part }) => part), because: null };
    } catch (error) {
      if (!(error instanceof TaskFailedError)) throw error;
      for (const booking of booked.reverse()) await cancelBooking.start(run, booking);
      return { booked: [], because: error.message };
    }
  },
});
