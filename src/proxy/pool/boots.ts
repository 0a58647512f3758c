/** The known facts about the boots of one backend, as plain data. */
export interface BootFacts {
  /** The name of the present boot, from the backend itself or from the proxy's count. */
  readonly incarnation: string;
  /** The number of boots seen. */
  readonly boot: number;
  /** The backend names its boots itself; otherwise the proxy counts them. */
  readonly selfNamed: boolean;
  /** When the backend first gave the name of this boot. */
  readonly namedMs: number;
  /** A browser bound before this was bound to an earlier boot. */
  readonly bornMs: number;
}

/** A valid boot name. It goes into a cookie, so it must be short. */
const nameShape = /^[\x21-\x7e]{1,128}$/;

/** Tracks the present boot of a backend. Times are wall-clock times, because cookies carry them to other proxies. */
export class Boots {
  #facts: BootFacts = { incarnation: '1', boot: 1, selfNamed: false, namedMs: 0, bornMs: 0 };

  get facts(): BootFacts {
    return this.#facts;
  }

  /** Sets the first number for a backend that does not name its boots. Called before anything was learnt of it. */
  countFrom(boot: number, nowMs: number): void {
    this.#facts = { ...this.#facts, boot, incarnation: String(boot), bornMs: nowMs };
  }

  /** Counts a boot when a backend was down and is up again, unless it names its boots. Returns whether it counted. */
  countOn(downMs: number): boolean {
    const { selfNamed, incarnation } = this.#facts;
    if (selfNamed) return false;
    // No browser was bound while it was down, except by a proxy that already knew that it was up again.
    this.#become(String(Number(incarnation) + 1), downMs);
    return true;
  }

  /**
   * Learns the name that an answer or a health check gave. A name that cannot go into a cookie is ignored. `asked` is
   * the boot that was known when the request was sent. A process may finish its last answers while its successor
   * already has the port. Such an answer must not count as the newest boot again. Returns undefined when nothing was
   * learnt.
   */
  learn(given: string | undefined, asked: number, nowMs: number): 'its name' | 'another boot' | undefined {
    const { incarnation, boot, selfNamed } = this.#facts;
    if (given === undefined || given === incarnation || !nameShape.test(given) || asked !== boot) return undefined;
    this.#facts = { ...this.#facts, selfNamed: true, namedMs: nowMs };
    if (selfNamed) this.#become(given, nowMs);
    else this.#facts = { ...this.#facts, incarnation: given };
    return selfNamed ? 'another boot' : 'its name';
  }

  /**
   * Takes over the facts of another process. Returns whether they name another boot. If this process has just learnt a
   * name, the other process may not know it yet. The facts of the other process are then older, and are ignored.
   */
  adopt({ incarnation, boot, selfNamed, namedMs, bornMs }: BootFacts): boolean {
    const known = this.#facts;
    if (boot < known.boot && incarnation !== known.incarnation) return false;
    this.#facts = { incarnation, boot, selfNamed, namedMs, bornMs };
    return boot > known.boot || (known.selfNamed && incarnation !== known.incarnation);
  }

  /**
   * Whether a browser bound to `name` at `issuedMs` was bound to the present boot. Another proxy may have bound it.
   * Without a name the clock decides. The clock also decides for a name other than the present one. If the browser was
   * bound after this proxy learnt the present name, only the other proxy knows that boot yet.
   */
  isPresent(name: string, issuedMs: number): boolean {
    const { incarnation, selfNamed, namedMs, bornMs } = this.#facts;
    if (name === '' || !selfNamed) return issuedMs > bornMs;
    return name === incarnation || issuedMs > namedMs;
  }

  #become(incarnation: string, bornMs: number): void {
    this.#facts = { ...this.#facts, incarnation, bornMs, boot: this.#facts.boot + 1 };
  }
}
