import { expect } from 'chai';

export const copies = 'every copy of a field that should come once';

/** What an engine cannot do of its contract, and why: engine, case, reason. The one list. */
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

/** Odd requests that one engine passes on, in the only way that there is to read them, and the others refuse; and why. */
export const readByOneAlone: Readonly<Record<string, readonly [engine: string, reason: string]>> = {
  'a Host in trailers': ['http-proxy', 'it passes no trailers on, so that they may say what they want'],
  'an upgrade in trailers': ['http-proxy', 'it passes no trailers on, so that they may say what they want'],
  'a cookie in trailers': ['http-proxy', 'it passes no trailers on, so that they may say what they want'],
  'many zeros before a chunk size': ['http-proxy', 'it writes the size anew; wire passes on what it read'],
};

/** How these show where engines are compared with a parser. */
export function allowancesOf(engine: string): { readonly firstOnly: boolean } {
  return { firstOnly: engineShortfalls[engine]?.[copies] !== undefined };
}

/** Cases of a contract; those that an entry cannot pass are shown to fail, under their name and reason. */
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
      expect(fails, `"${name}" holds after all: take it off the list in shortfalls.ts`).to.equal(true);
    });
  }

  itListsOnlyCases(): void {
    it('declares nothing that is no case', () => {
      expect(Object.keys(this.#reasons).filter(name => !this.#met.has(name))).to.deep.equal([]);
    });
  }
}
