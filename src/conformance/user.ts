import { headerValues } from './framing.js';

/** The cookies of one browser. */
export class RawUser {
  readonly #cookies = new Map<string, string>();

  constructor(readonly name: string) {}

  /** Takes the cookies of an answer. The last of one name wins, as in a browser. */
  take(head: readonly string[]): void {
    for (const line of headerValues(head, 'set-cookie')) {
      const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (name === '') continue;
      if (/;\s*max-age=(?:0|-\d+)\s*(?:;|$)/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }

  /** Returns the cookie header; undefined when there is none. */
  get header(): string | undefined {
    const pairs = [...this.#cookies].map(([name, value]) => `${name}=${value}`);
    return pairs.length === 0 ? undefined : pairs.join('; ');
  }

  /** Returns the cookies that the app did not set: those of the proxy. */
  get ofProxy(): readonly (readonly [name: string, value: string])[] {
    return [...this.#cookies].filter(([name]) => name !== 'app');
  }

  set(name: string, value: string): void {
    this.#cookies.set(name, value);
  }
}
