import { Agent } from 'node:http';
import { drawExponential, pick, type Random, randomStream } from '#src/simulator/plan/random.js';
import { echo } from './echo-socket.js';
import type { Home, Shot } from './judge.js';
import { pipeline } from './pipeline.js';
import { type Result, shoot } from './shoot.js';
import { drawWish, isRepeatable, type Wish } from './wishes.js';

const browserCount = 40;
const pipelined = 5;
/** Above this limit new requests are skipped and counted, so that load does not pile up here. */
const inFlightMax = 2_000;

/** One user's cookie jar. */
interface Browser {
  cookie: string | undefined;
  home: Home | undefined;
}

/** Sends requests at a mean rate, whatever their results, until stopped. */
export class Clients {
  readonly #url: string;
  readonly #ratePerS: number;
  readonly #onShot: (shot: Shot) => void;
  readonly #arrivals: Random;
  readonly #wishes: Random;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #browsers: Browser[] = Array.from({ length: browserCount }, () => ({ cookie: undefined, home: undefined }));
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  leftOut = 0;

  constructor(url: string, ratePerS: number, seed: number, onShot: (shot: Shot) => void) {
    this.#url = url;
    this.#ratePerS = ratePerS;
    this.#onShot = onShot;
    this.#arrivals = randomStream(seed, 'arrivals');
    this.#wishes = randomStream(seed, 'wishes');
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  start(): void {
    this.#next(performance.now());
  }

  /** Resolves when every request has ended. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.all(this.#inFlight);
    this.#agent.destroy();
  }

  /** Schedules on the plan's clock: a late request is sent at once, so the rate holds. */
  #next(dueMs: number): void {
    this.#timer = setTimeout(() => {
      this.#arrive();
      this.#next(dueMs + drawExponential(this.#arrivals, 1_000 / this.#ratePerS));
    }, dueMs - performance.now());
  }

  #arrive(): void {
    const browser = pick(this.#wishes, this.#browsers);
    const wish = this.#draw();
    if (browser === undefined || this.inFlight >= inFlightMax) {
      this.leftOut += 1;
      return;
    }
    const sent = wish.kind === 'pipeline' ? this.#sendMany(wish, browser) : this.#send(wish, browser);
    this.#inFlight.add(sent);
    void sent.then(() => this.#inFlight.delete(sent));
  }

  #draw(): Wish {
    this.#count += 1;
    return drawWish(this.#wishes, `t${this.#count}-${Math.floor(this.#wishes() * 2 ** 32).toString(36)}`);
  }

  async #send(wish: Wish, browser: Browser): Promise<void> {
    const { cookie, home } = browser;
    const startedMs = performance.now();
    const result = await (wish.kind === 'websocket'
      ? echo(this.#url, wish, cookie)
      : shoot(this.#url, wish, this.#agent, cookie));
    this.#end(wish, browser, { startedMs, home }, result);
  }

  async #sendMany(first: Wish, browser: Browser): Promise<void> {
    const wishes = Array.from({ length: pipelined }, (_, at) => ({ ...first, token: `${first.token}-${at}` }));
    const { cookie, home } = browser;
    const startedMs = performance.now();
    const results = await pipeline(this.#url, wishes, cookie);
    const cutAt = results.findIndex(({ end }) => end === 'cut');
    for (const [at, wish] of wishes.entries()) {
      const result = results[at];
      const behindCut = cutAt !== -1 && at > cutAt;
      if (result !== undefined) this.#end(wish, browser, { startedMs, home, behindCut }, result);
    }
  }

  #end(
    wish: Wish,
    browser: Browser,
    began: Pick<Shot, 'startedMs' | 'home'> & { readonly behindCut?: boolean },
    { end, answer, bodyRight, cookie }: Result,
  ): void {
    const endedMs = performance.now();
    const { kind, token } = wish;
    this.#onShot({ kind, token, repeatable: isRepeatable(wish), endedMs, end, answer, bodyRight, ...began });
    if (cookie === undefined || answer?.backend === undefined || answer.incarnation === undefined) return;
    browser.cookie = cookie;
    browser.home = { backend: answer.backend, incarnation: answer.incarnation, knownMs: began.startedMs };
  }
}
