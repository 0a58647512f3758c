import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A minimal browser: it keeps the session cookie and sends JSON. */
export class Visitor {
  /** The address of the shop. Another address is another backend with the same cookie. */
  url: string;
  #jar: { cookie: string | undefined };

  constructor(url: string, cookie?: string) {
    this.url = url;
    this.#jar = { cookie };
  }

  get cookie(): string | undefined {
    return this.#jar.cookie;
  }

  set cookie(cookie: string | undefined) {
    this.#jar.cookie = cookie;
  }

  /** Another connection of the same browser. Both share the cookie. */
  beside(url: string): Visitor {
    const other = new Visitor(url);
    other.#jar = this.#jar;
    return other;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, { headers });
  }

  post(path: string, content: unknown): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    return this.send('POST', path, { headers, body: JSON.stringify(content) });
  }

  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path, {});
  }

  async send(method: string, path: string, init: { headers?: Record<string, string>; body?: string }): Promise<Answer> {
    const cookie: Record<string, string> = this.cookie === undefined ? {} : { cookie: this.cookie };
    const response = await fetch(this.url + path, { ...init, method, headers: { ...cookie, ...init.headers } });
    this.#keep(response.headers.getSetCookie());
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true && text !== '';
    return { status: response.status, headers: response.headers, json: isJson ? Object(JSON.parse(text)) : {} };
  }

  #keep(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [pair = ''] = line.split(';');
      this.cookie = /max-age=0/i.test(line) ? undefined : pair;
    }
  }

  async logIn(user: string): Promise<this> {
    const answer = await this.post('/login', { user, password: 'secret' });
    expect(answer.status).to.equal(200);
    return this;
  }

  async add(sku: string): Promise<void> {
    expect((await this.post('/cart', { sku })).status).to.equal(201);
  }

  async skus(): Promise<readonly string[]> {
    const { status, json } = await this.get('/cart');
    expect(status).to.equal(200);
    return itemsOf(json).map(({ sku }) => sku);
  }
}

export function itemsOf(json: Answer['json']): readonly { readonly sku: string; readonly quantity: number }[] {
  const { items } = json;
  if (!Array.isArray(items)) throw new Error(`no items in ${JSON.stringify(json)}`);
  return items;
}

/** Number of requests for which the shop has opened a session. When it rises by one, a slow request has reached its
 * delay. */
export async function sessionsOpened(url: string): Promise<number> {
  const { json } = await new Visitor(url).get('/stats');
  return Number(Object(json.sessions).opened ?? 0);
}

/** Probes until the condition holds. The time limit of the test ends the probing. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(probeEveryMs);
}

const probeEveryMs = 10;
