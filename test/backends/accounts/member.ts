import { expect } from 'chai';
import type { Answer } from '../visitor.js';

export interface Listed {
  readonly handle: string;
  readonly createdAtMs: number;
  readonly idleUntilMs: number;
  readonly address?: string;
  readonly userAgent?: string;
  readonly current: boolean;
}

export interface FullAnswer extends Answer {
  readonly setCookies: readonly string[];
}

type Headers = Readonly<Record<string, string>>;

/** A browser with all its cookies, and its user. */
export class Member {
  readonly user: string;
  password = 'secret';
  /** The backend that gets the requests. */
  url: string;
  /** The User-Agent. Default: no browser that the shop knows. */
  agent = 'test';
  readonly cookies: Map<string, string>;

  constructor(url: string, user: string, cookies: Iterable<readonly [string, string]> = []) {
    this.url = url;
    this.user = user;
    this.cookies = new Map(cookies);
  }

  /** Returns a client with a copy of the cookies, for example a thief, perhaps at another backend. */
  copy(url = this.url): Member {
    const copy = new Member(url, this.user, this.cookies);
    copy.agent = this.agent;
    copy.password = this.password;
    return copy;
  }

  get token(): string {
    return this.cookies.get('session') ?? expect.fail(`${this.user} has no session cookie`);
  }

  get(path: string, headers: Headers = {}): Promise<FullAnswer> {
    return this.send('GET', path, undefined, headers);
  }

  post(path: string, content: object = {}, headers: Headers = {}): Promise<FullAnswer> {
    return this.send('POST', path, content, headers);
  }

  delete(path: string, headers: Headers = {}): Promise<FullAnswer> {
    return this.send('DELETE', path, undefined, headers);
  }

  async send(method: string, path: string, content?: object, headers: Headers = {}): Promise<FullAnswer> {
    const type = content === undefined ? {} : { 'content-type': 'application/json' };
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(this.url + path, {
      method,
      headers: { 'user-agent': this.agent, cookie, ...type, ...headers },
      ...(content === undefined ? {} : { body: JSON.stringify(content) }),
    });
    const setCookies = response.headers.getSetCookie();
    this.#keep(setCookies);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return {
      status: response.status,
      headers: response.headers,
      json: isJson ? Object(JSON.parse(text)) : {},
      setCookies,
    };
  }

  #keep(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }

  /** Logs in with the password only. */
  async logIn(): Promise<this> {
    const { status, json } = await this.tryLogin();
    expect([status, json]).to.deep.equal([200, { user: this.user }]);
    return this;
  }

  tryLogin(password = this.password): Promise<FullAnswer> {
    return this.post('/login', { user: this.user, password });
  }

  /** Logs in with the password and a code. */
  async logInWith(code: string): Promise<this> {
    expect((await this.tryLogin()).status).to.equal(202);
    expect((await this.post('/login/totp', { code })).status).to.equal(200);
    return this;
  }

  /** Returns the nonce of a fresh authentication. */
  async nonce(code?: string): Promise<string> {
    const { password } = this;
    const { status, json } = await this.post(
      '/account/reauthenticate',
      code === undefined ? { password } : { password, code },
    );
    expect(status, JSON.stringify(json)).to.equal(200);
    return String(json.nonce);
  }

  /** Gives the password again, and then sends a request that needs the nonce. */
  async postProved(path: string, content: object = {}): Promise<FullAnswer> {
    return this.post(path, { ...content, nonce: await this.nonce() });
  }

  async changePassword(password: string, others: 'end' | 'keep' = 'keep'): Promise<this> {
    const answer = await this.postProved('/account/password', { password, others });
    expect(answer.status, JSON.stringify(answer.json)).to.equal(200);
    this.password = password;
    return this;
  }

  async sessions(): Promise<readonly Listed[]> {
    const { status, json } = await this.get('/account/sessions');
    expect(status).to.equal(200);
    return Array.isArray(json.sessions) ? json.sessions : expect.fail('no list of sessions');
  }

  /** Repeats the request while the store is too busy: a 503 is neither success nor refusal. */
  async isIn(): Promise<boolean> {
    for (;;) {
      const { status, json } = await this.get('/me');
      if (status !== 503) return json.user === this.user;
    }
  }
}
