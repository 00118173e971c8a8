/** What goes wrong with whole processes, and the deploys that must go right. */
import type { Replica } from "./replica.js";
import { NS, type Surroundings } from "./surroundings.js";
import { EVENTS, VERSION } from "./workflows.js";

const WAYS = ["crash", "crash", "freeze", "database", "endpoint", "undeploy", "replace"] as const;

export class Nemesis {
  readonly #world: Surroundings;
  /** Whether the endpoint is registered. */
  registered: boolean;

  constructor(world: Surroundings) {
    this.#world = world;
    this.registered = world.random.chance(0.9);
    if (!this.registered) this.#registerLater();
  }

  /** Strikes now and then until the world heals. */
  lurk(): void {
    const { random, scheduler, faults } = this.#world;
    scheduler.after(random.int(20, 80), undefined, "nemesis", () => {
      if (faults.healed) return;
      if (faults.strikes(2)) this.#strike();
      this.lurk();
    });
  }

  /** One replica after the other is replaced: where nothing fails, nothing may run twice because of it. */
  deploy(): void {
    const { random, scheduler, replicas, fail } = this.#world;
    const replace = async () => {
      for (const replica of replicas) {
        await scheduler.sleep(random.int(5, 60), undefined, "deploy");
        await replica.replace(100_000);
        await scheduler.sleep(700, undefined, "deploy");
      }
    };
    replace().catch(fail);
  }

  heal(): void {
    const { faults, replicas } = this.#world;
    faults.heal();
    this.registered = true;
    for (const replica of replicas) {
      replica.process.frozenUntil = 0;
      if (!replica.process.alive) replica.restart();
    }
  }

  #strike(): void {
    const { random, scheduler, replicas } = this.#world;
    const replica = random.pick(replicas);
    const way = random.pick(WAYS);
    scheduler.note(`${way} ${replica.process.name}`);
    switch (way) {
      case "crash":
        return this.#crash(replica);
      case "freeze":
        return replica.freeze(random.int(10, 3 * this.#world.leaseMs));
      case "database":
        return this.#takeDatabase();
      case "endpoint":
        return this.#takeEndpoint();
      case "undeploy":
        this.registered = false;
        return this.#registerLater();
      case "replace":
        if (!replica.process.alive || !replica.accepting) return;
        replica.replace(random.int(0, 50)).catch(this.#world.fail);
    }
  }

  #crash(replica: Replica): void {
    replica.crash();
    this.#later(1, 150, "restart", () => {
      if (!replica.process.alive) replica.restart();
    });
  }

  #takeDatabase(): void {
    const { faults } = this.#world;
    faults.databaseAway = true;
    this.#later(10, 200, "database back", () => {
      faults.databaseAway = false;
    });
  }

  #takeEndpoint(): void {
    const { faults, random } = this.#world;
    faults.endpointAway = random.pick(["lost", "timeout", "refused"] as const);
    this.#later(50, 600, "endpoint back", () => {
      faults.endpointAway = undefined;
    });
  }

  #registerLater(): void {
    this.#later(20, 150, "registered", () => {
      this.registered = true;
      const versions = Object.keys(EVENTS).map((workflow) => ({ workflow, version: VERSION }));
      const replica = this.#world.random.pick(this.#world.replicas);
      // The runs also look again by themselves, so that a lost call costs no more than time.
      replica.store.wakeUnserved(NS, versions).then(
        () => replica.dispatcher.wake(),
        () => {},
      );
    });
  }

  #later(least: number, most: number, label: string, run: () => void): void {
    this.#world.scheduler.after(this.#world.random.int(least, most), undefined, label, run);
  }
}
