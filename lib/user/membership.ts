/** Whether a group knows us: one that began a new history has lost its members. */

/** Asks to join. */
type Join = () => Promise<{ readonly epoch: string }>;

/** Of one user in one group. */
export class Membership {
  /** Where we are a member; in another epoch the group has forgotten us. */
  #joinedIn: string;
  /** We are no member in this epoch, and have been in another. */
  #forgottenIn = "";
  #joining: Promise<void> | undefined;

  /** @param epoch in which we joined, or empty */
  constructor(epoch: string) {
    this.#joinedIn = epoch;
  }

  /** The group says which role we have in its history now. */
  proved(role: string | null, epoch: string): void {
    if (role !== null) this.#joinedIn = epoch;
    const forgotten = role === null && this.#joinedIn !== "" && this.#joinedIn !== epoch;
    this.#forgottenIn = forgotten ? epoch : "";
  }

  get isForgotten(): boolean {
    return this.#forgottenIn !== "";
  }

  joined(epoch: string): void {
    this.#joinedIn = epoch;
    this.#forgottenIn = "";
  }

  /** Becomes a member again, once for all who ask meanwhile. Throws as `join` does. */
  renew(join: Join): Promise<void> {
    return this.#joining ??= join()
      .then(({ epoch }) => this.joined(epoch))
      .finally(() => (this.#joining = undefined));
  }
}
