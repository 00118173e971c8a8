/** What is to go wrong between orchestrator and endpoint. Each fault strikes at the next occasion that there is. */
export interface FaultOptions {
  /** Only pushes of this workflow version. */
  readonly of?: { readonly name: string; readonly versionId: string };
  /** How many times in all. Default 1. */
  readonly times?: number;
}

export interface Fault {
  /** How many times it has struck: a test that expects this cannot pass without the fault. */
  readonly struck: number;
}

export interface Faults {
  /** A push is carried out and its answer lost: the run is pushed again, and what was not recorded runs again. */
  loseAnswer(options?: FaultOptions): Fault;
  /** A push arrives twice, and both are carried out at the same time. The first answer counts. */
  doublePush(options?: FaultOptions): Fault;
  /** A push does not arrive: nothing of it runs, and it is sent again. */
  failDelivery(options?: FaultOptions): Fault;
  /**
   * The orchestrator dies when it has got an answer and before it has written it. Another one takes the run over once
   * the lease has run out, half a minute later.
   */
  crash(options?: FaultOptions): Fault;
  /** A checkpoint is written and its acknowledgement lost: the invocation answers without knowing. */
  loseAcknowledgement(options?: FaultOptions): Fault;
}

type Kind = keyof Faults;
interface Planned {
  readonly kind: Kind;
  readonly of: FaultOptions["of"];
  readonly times: number;
  struck: number;
}

export class FaultPlan implements Faults {
  readonly #planned: Planned[] = [];

  loseAnswer(options?: FaultOptions): Fault {
    return this.#plan("loseAnswer", options);
  }

  doublePush(options?: FaultOptions): Fault {
    return this.#plan("doublePush", options);
  }

  failDelivery(options?: FaultOptions): Fault {
    return this.#plan("failDelivery", options);
  }

  crash(options?: FaultOptions): Fault {
    return this.#plan("crash", options);
  }

  loseAcknowledgement(options?: FaultOptions): Fault {
    return this.#plan("loseAcknowledgement", options);
  }

  /** Whether a fault of this kind strikes here and now. */
  strikes(kind: Kind, run: { readonly workflow: string; readonly version: string }): boolean {
    const fault = this.#planned.find(
      (one) =>
        one.kind === kind &&
        one.struck < one.times &&
        (!one.of || (one.of.name === run.workflow && one.of.versionId === run.version)),
    );
    if (fault) fault.struck += 1;
    return fault !== undefined;
  }

  #plan(kind: Kind, { of, times = 1 }: FaultOptions = {}): Fault {
    const planned: Planned = { kind, of, times, struck: 0 };
    this.#planned.push(planned);
    return planned;
  }
}
