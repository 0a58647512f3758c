/** What is known of the boots of one backend, as plain data. */
export interface BootFacts {
  /** What the present boot is called, by itself or by the proxy. */
  readonly incarnation: string;
  /** How many were seen. */
  readonly boot: number;
  /** It says itself which boot it is; otherwise the proxy counts. */
  readonly selfNamed: boolean;
  /** When it said the name of this boot for the first time. */
  readonly namedMs: number;
  /** Who was bound earlier was bound to a boot before this one. */
  readonly bornMs: number;
}

/** What a backend may call its boot: it goes into a cookie, and a cookie is short. */
const nameShape = /^[\x21-\x7e]{1,128}$/;

/** Which boot of a backend is there. Moments are by the wall clock: cookies carry them to other proxies. */
export class Boots {
  #facts: BootFacts = { incarnation: '1', boot: 1, selfNamed: false, namedMs: 0, bornMs: 0 };

  get facts(): BootFacts {
    return this.#facts;
  }

  /** Where nobody names its boots they are counted from here. Before anything was learnt of it. */
  countFrom(boot: number, nowMs: number): void {
    this.#facts = { ...this.#facts, boot, incarnation: String(boot), bornMs: nowMs };
  }

  /** It was down and is up again: another boot, unless it says itself which one it is. Answers with whether it is. */
  countOn(downMs: number): boolean {
    const { selfNamed, incarnation } = this.#facts;
    if (selfNamed) return false;
    // Nobody was bound while it was down, except by a proxy that knew it to be up again already.
    this.#become(String(Number(incarnation) + 1), downMs);
    return true;
  }

  /**
   * `given` is what an answer or a health check called this boot; a name that cannot go into a cookie is ignored.
   * `asked` is the boot that was known when it was asked: a process that finishes its last answers while its successor
   * has the port already must not pass for the newest boot again. Undefined: nothing was learnt.
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
   * What another process knows, which answers with whether that is another boot. A name that was learnt here just now
   * may be news to it: what it said before is then on its way still.
   */
  adopt({ incarnation, boot, selfNamed, namedMs, bornMs }: BootFacts): boolean {
    const known = this.#facts;
    if (boot < known.boot && incarnation !== known.incarnation) return false;
    this.#facts = { incarnation, boot, selfNamed, namedMs, bornMs };
    return boot > known.boot || (known.selfNamed && incarnation !== known.incarnation);
  }

  /**
   * Whether a browser that was bound to `name` at that moment, maybe by another proxy, was bound to the boot that is
   * there now. A boot without a name is told from the one before it by the clock. So is a name that is not the present
   * one: bound after this proxy heard of the present one, it is of a boot that only the other proxy knows yet.
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
