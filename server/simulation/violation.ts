/** A broken promise. `kind` names the invariant of the design. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(`${kind}: ${message}`);
    this.kind = kind;
  }
}
