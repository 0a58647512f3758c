import { Client } from 'undici';

export type Method = 'GET' | 'POST';

/** One request as its client saw it; times of `performance.now()`. */
export interface Shot {
  readonly id: string;
  readonly client: number;
  readonly beganMs: number;
  readonly endedMs: number;
  /** Undefined: the connection ended before the answer. */
  readonly status: number | undefined;
  readonly proxyStatus: string;
}

const clientCount = 64;
const answerMsMax = 10_000;

/** Browsers that each send the next request after an answer, and keep their cookie. */
export class Clients {
  readonly #origin: URL;
  readonly #method: Method;
  readonly #shots: Shot[] = [];
  readonly #ended: Promise<unknown>;
  #stopped = false;

  constructor(origin: URL, method: Method) {
    this.#origin = origin;
    this.#method = method;
    this.#ended = Promise.all(Array.from({ length: clientCount }, (_, client) => this.#browse(client)));
  }

  /** Resolves when all are answered. */
  async stop(): Promise<readonly Shot[]> {
    this.#stopped = true;
    await this.#ended;
    return this.#shots;
  }

  async #browse(client: number): Promise<void> {
    const connection = new Client(this.#origin, { headersTimeout: answerMsMax, bodyTimeout: answerMsMax });
    let cookie = '';
    for (let turn = 0; !this.#stopped; turn += 1) {
      const id = `${this.#method}-${client}-${turn}`;
      const beganMs = performance.now();
      const { status, proxyStatus, issued } = await this.#ask(connection, id, cookie);
      cookie = issued ?? cookie;
      this.#shots.push({ id, client, beganMs, endedMs: performance.now(), status, proxyStatus });
    }
    await connection.close();
  }

  async #ask(connection: Client, id: string, cookie: string): Promise<Seen> {
    const headers = { 'x-id': id, ...(cookie === '' ? {} : { cookie }) };
    const body = this.#method === 'POST' ? { body: id } : {};
    try {
      const answer = await connection.request({ method: this.#method, path: '/', headers, ...body });
      await answer.body.dump();
      const issued = [answer.headers['set-cookie'] ?? []].flat()[0]?.split(';')[0];
      return { status: answer.statusCode, proxyStatus: String(answer.headers['proxy-status'] ?? ''), issued };
    } catch {
      return { status: undefined, proxyStatus: '', issued: undefined };
    }
  }
}

interface Seen {
  readonly status: number | undefined;
  readonly proxyStatus: string;
  readonly issued: string | undefined;
}
