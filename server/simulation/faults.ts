/** How hostile one seed's world is. Every rate is drawn from the seed; after `heal` nothing fails any more. */
import type { Random } from "./random.js";

export class Faults {
  readonly #random: Random;
  /** 0 for a world without any fault, where every task must run exactly once. */
  readonly rate: number;
  healed = false;
  /** While true no statement reaches the database. */
  databaseAway = false;
  /** While set, every push ends like this. */
  endpointAway: "lost" | "timeout" | "refused" | undefined;

  constructor(random: Random) {
    this.#random = random;
    this.rate = random.chance(0.15) ? 0 : random.next() * 0.25;
  }

  /** The faults stop: from now on everything has to come to its end. */
  heal(): void {
    this.healed = true;
    this.databaseAway = false;
    this.endpointAway = undefined;
  }

  /** Whether something that fails `times` as often as the world's rate fails now. */
  strikes(times: number): boolean {
    return !this.healed && this.rate > 0 && this.#random.chance(this.rate * times);
  }

  /** One way over the network, in milliseconds: short as a rule, sometimes long enough to outlive a lease. */
  hopMs(): number {
    if (this.strikes(0.3)) return this.#random.int(20, 400);
    return this.#random.int(0, 4);
  }
}
