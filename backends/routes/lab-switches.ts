import { type Call, isObject } from '../call.js';
import type { CombinedDefects } from '../defects.js';
import { json, NotAllowed, NotUnderstood } from '../refusal.js';
import { plainRoute, type Route, type SessionAction } from './route.js';

/** The faults that the failover simulator can inject while this process runs, with their limits. */
const limits = {
  /** Percentage of session requests that are answered 500. Half of them fail after the work was done. */
  errorPercent: { min: 0, max: 100 },
  /** Duration for which the event loop is blocked. */
  blockMs: { min: 0, max: 10_000 },
  /** Interval between two blocks. */
  blockEveryMs: { min: 1, max: 60_000 },
  /** Offset of the clock: positive is ahead, negative is behind. */
  clockMs: { min: -600_000, max: 600_000 },
};
type Switch = keyof typeof limits;
type SwitchPositions = { readonly [name in Switch]: number };

const allOff: SwitchPositions = { errorPercent: 0, blockMs: 0, blockEveryMs: 1_000, clockMs: 0 };
const names = Object.keys(limits);

/** Adds the lab switches to the routes. */
export function addLabSwitches(planted: CombinedDefects): CombinedDefects {
  const lab = new LabSwitches();
  return { ...planted, routes: original => lab.routes(planted.routes(original)) };
}

/** The switches behind `GET` and `POST /lab`. They exist only with SHOP_LAB=1, only on a loopback address, and refuse
 * requests through a proxy. In a new process, all are off. */
class LabSwitches {
  readonly #clock = installMovableClock();
  readonly #random = makeRandom(1);
  #positions = allOff;
  #blocking: NodeJS.Timeout | undefined;

  routes(original: readonly Route[]): readonly Route[] {
    return [
      ...original.map(route => (route.kind === 'session' ? { ...route, act: this.#wrapWithErrors(route.act) } : route)),
      plainRoute('GET', '/lab', call => this.#show(call)),
      plainRoute('POST', '/lab', call => this.#set(call)),
    ];
  }

  #wrapWithErrors(act: SessionAction): SessionAction {
    return async (call, context) => {
      const isFailing = this.#random() * 100 < this.#positions.errorPercent;
      if (isFailing && this.#random() < 0.5) return labError;
      const reply = await act(call, context);
      return isFailing ? labError : reply;
    };
  }

  #show(call: Call) {
    if (call.proxied) throw new NotAllowed('send this request to the backend itself, not through a proxy');
    return json(200, { ...this.#positions, nowMs: Date.now() });
  }

  #set(call: Call) {
    if (call.proxied) return this.#show(call);
    this.#positions = { ...this.#positions, ...positionsIn(call.body) };
    const { blockMs, blockEveryMs, clockMs } = this.#positions;
    this.#clock.moveBy(clockMs);
    clearInterval(this.#blocking);
    if (blockMs > 0) this.#blocking = setInterval(() => blockEventLoop(blockMs), blockEveryMs).unref();
    return this.#show(call);
  }
}

const labError = json(500, { error: 'an error that the lab injected', why: 'lab' });

function positionsIn(body: unknown): Partial<SwitchPositions> {
  const entries: [string, unknown][] = isObject(body) ? Object.entries(body) : [['', undefined]];
  if (entries.every(isPosition)) return Object.fromEntries(entries);
  const shape = Object.entries(limits).map(([name, { min, max }]) => `"${name}": ${min} to ${max}`);
  throw new NotUnderstood(`expected a JSON object with some of ${shape.join(', ')}, each a whole number`);
}

function isPosition(entry: [string, unknown]): entry is [Switch, number] {
  const [name, value] = entry;
  if (!isSwitch(name) || !Number.isInteger(value)) return false;
  return Number(value) >= limits[name].min && Number(value) <= limits[name].max;
}

function isSwitch(name: string): name is Switch {
  return names.includes(name);
}

/** Blocks without using the processor, which other processes need. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Returns a mulberry32 generator. It gives the same numbers in every run. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Replaces the clock of this process with one that can be moved. It affects every later `Date.now()` and `new Date()`,
 * and references to `Date.now` that were taken later. Timers and `performance.now()` are not affected. */
function installMovableClock(): { moveBy(ms: number): void } {
  const real = Date;
  let byMs = 0;
  const now = () => real.now() + byMs;
  globalThis.Date = new Proxy(real, {
    construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
  });
  return {
    moveBy: ms => {
      byMs = ms;
    },
  };
}
