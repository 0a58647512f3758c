import { expect } from 'chai';

export const copies = 'every copy of a field that should come once';

/** Lists the parts of the contract that an engine does not fulfil, by engine and case. The value is the reason. */
export const engineShortfalls: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'http-proxy': {
    [copies]: "Node's server keeps the first copy and drops the others",
    'a body behind an offer of h2c': "Node's server reads no body behind an offer of a protocol: 400",
    'a head ahead of its body': "it writes the head with the first bytes of the body, as Node's client does",
    'trailers behind a body': "Node's server keeps them to itself; a trailer may be discarded (RFC 9110 §6.5.1)",
    'two spaces before the target': "Node's parser passes over them and does not say so; one goes on",
    'two spaces behind the target': "Node's parser passes over them and does not say so; one goes on",
  },
};

/** Odd requests that one engine forwards, in their only possible reading, and the others refuse; with the reason. */
export const readByOneAlone: Readonly<Record<string, readonly [engine: string, reason: string]>> = {
  'a Host in trailers': ['http-proxy', 'it passes no trailers on, so that they may say what they want'],
  'an upgrade in trailers': ['http-proxy', 'it passes no trailers on, so that they may say what they want'],
  'a cookie in trailers': ['http-proxy', 'it passes no trailers on, so that they may say what they want'],
  'many zeros before a chunk size': ['http-proxy', 'it writes the size anew; wire passes on what it read'],
};

/** Returns the engine's allowances for the comparison with a parser. */
export function allowancesOf(engine: string): { readonly firstOnly: boolean } {
  return { firstOnly: engineShortfalls[engine]?.[copies] !== undefined };
}

/** Runs the cases of a contract. A case that an entry cannot pass must fail, and is shown with its reason. */
export class Shortfalls {
  readonly #reasons: Readonly<Record<string, string>>;
  readonly #met = new Set<string>();

  constructor(reasons: Readonly<Record<string, string>> = {}) {
    this.#reasons = reasons;
  }

  it(name: string, title: string, check: () => Promise<void>): void {
    const reason = this.#reasons[name];
    if (reason === undefined) {
      it(title, check);
      return;
    }
    this.#met.add(name);
    it(`CANNOT: ${title} (${reason})`, async () => {
      const fails = await check().then(
        () => false,
        () => true,
      );
      expect(fails, `"${name}" passes: remove it from the list in shortfalls.ts`).to.equal(true);
    });
  }

  itListsOnlyCases(): void {
    it('declares only existing cases', () => {
      expect(Object.keys(this.#reasons).filter(name => !this.#met.has(name))).to.deep.equal([]);
    });
  }
}
