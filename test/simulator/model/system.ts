import { type Mode, type ModeName, modes, storesOf } from '#src/modes.js';
import { parseDuration } from '#src/shared/units.js';
import { proxyNames } from '#src/simulator/cluster/proxy.js';
import type { MemberRecord } from '#src/simulator/history/records.js';
import { randomStream } from '#src/simulator/plan/random.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { ModelBackend } from './backend.js';
import type { Keeping, Process } from './keeping.js';
import { KeepingById } from './keeping-by-id.js';
import { KeepingBySchema } from './keeping-by-schema.js';
import { KeepingInBrowser } from './keeping-in-browser.js';
import { ModelLinks } from './links.js';
import { type Candidate, ModelProxy } from './proxy.js';
import { ModelStore } from './store.js';
import type { VirtualTime } from './virtual-time.js';

const firstKey = 'key-1';
/** Time after which every backend knows that a session ended. */
const notificationMs = 5;
export const bootMs = 150;

/** The system under test in memory: proxies, backends, and the store of the mode. Faults change its state. */
export class ModelSystem {
  readonly time: VirtualTime;
  readonly links = new ModelLinks();
  readonly store: ModelStore | undefined;
  readonly backends: readonly ModelBackend[];
  readonly proxies: readonly ModelProxy[];
  readonly candidates: readonly Candidate[];
  readonly members: MemberRecord[] = [];
  readonly health: Scenario['system']['proxy']['health'];
  readonly drainMs: number;
  /** All ended sessions, for backends that boot. */
  readonly #ended = new Set<string>();

  constructor({ system, seed }: Pick<Scenario, 'system' | 'seed'>, mode: ModeName, time: VirtualTime) {
    this.time = time;
    this.health = system.proxy.health;
    this.drainMs = system.proxy.drainMs;
    const ballastBytes = Number(system.backends.env.SHOP_BALLAST_BYTES ?? 0);
    const [storeName] = storesOf(mode);
    this.store = storeName && new ModelStore(storeName, system, ballastBytes, time, this.links);
    const idleMs = parseDuration(system.backends.env.SHOP_IDLE ?? '') ?? 1_800_000;
    const keeping = new KeepingBySchema(this.#keeping(modes[mode], ballastBytes, idleMs));
    const { count, spare } = system.backends;
    this.backends = Array.from({ length: count + spare }, (_, index) => {
      const name = `backend-${index + 1}`;
      return new ModelBackend(name, index < count, keeping, time, randomStream(seed, `${name}/errors`));
    });
    for (const backend of this.backends) {
      backend.keys = [firstKey];
      backend.schema = system.backends.env.SHOP_SESSION_SCHEMA ?? '';
      backend.workMs = parseDuration(system.backends.env.SHOP_WORK ?? '') ?? 0;
    }
    this.store?.useFor(this.backends.map(({ name }) => name));
    this.candidates = this.backends.map(backend => ({ backend, state: backend.state === 'up' ? 'ready' : 'out' }));
    const { affinity, maxconn, policy, hashKey } = system.proxy;
    const routing = {
      maxconn,
      hashedCookie: policy === 'rendezvous' ? hashKey?.replace('cookie:', '') : undefined,
      candidates: this.candidates,
      affinity: affinity === undefined ? modes[mode].affinity : affinity === 'on',
    };
    const cookieBytes = (cookie: string) => keeping.cookieBytes(cookie);
    this.proxies = proxyNames(system.proxy).map(
      name =>
        new ModelProxy(name, routing, { links: this.links, time, latency: randomStream(seed, name), cookieBytes }),
    );
    for (const { name } of [...this.proxies, ...(this.store?.members ?? [])]) this.mark(name, 'up');
    for (const { name, state } of this.backends) this.mark(name, state === 'up' ? 'up' : 'dead');
  }

  backend(name: string): ModelBackend {
    return findByName(this.backends, name);
  }

  candidate(name: string): Candidate {
    const candidate = this.candidates.find(({ backend }) => backend.name === name);
    if (candidate === undefined) throw new Error(`there is no ${name}`);
    return candidate;
  }

  proxy(name: string): ModelProxy {
    return findByName(this.proxies, name);
  }

  mark(member: string, state: MemberRecord['state']): void {
    this.members.push({ type: 'member', member, atMs: this.time.now(), state });
  }

  /** Ejects a backend that no longer answers health checks, as the proxy does. `isWell` says whether it answers again
   * by then. */
  ejectLater(name: string, isWell: () => boolean): void {
    const { everyMs, timeoutMs, fall } = this.health;
    this.time.after(everyMs * (fall - 1) + timeoutMs, () => {
      const candidate = this.candidate(name);
      if (isWell() || candidate.state !== 'ready') return;
      candidate.state = 'out';
      if (candidate.backend.state === 'up') this.mark(name, 'ejected');
    });
  }

  /** Readmits a backend. Resolves when the proxy sends it requests again. */
  async readmit(name: string): Promise<void> {
    const candidate = this.candidate(name);
    if (candidate.state === 'out') await this.wait(this.health.everyMs * this.health.rise);
    candidate.state = 'ready';
    this.mark(name, 'up');
  }

  wait(ms: number): Promise<void> {
    return this.time.until(this.time.now() + ms);
  }

  killBackend(name: string): void {
    const backend = this.backend(name);
    backend.kill();
    for (const proxy of this.proxies) proxy.abortRequests(backend);
    this.candidate(name).state = 'out';
    this.mark(name, 'dead');
  }

  async bootBackend(name: string): Promise<void> {
    await this.wait(bootMs);
    const backend = this.backend(name);
    backend.boot();
    backend.keys = this.backends[0]?.keys ?? backend.keys;
    for (const sid of this.#ended) backend.revoked.add(sid);
    await this.readmit(name);
  }

  /** Tells a backend that was cut off from the store which sessions have ended. */
  catchUp(name: string): void {
    for (const sid of this.#ended) this.backend(name).revoked.add(sid);
  }

  counts(): Record<string, Record<string, number>> {
    const ofBackends = this.backends
      .filter(({ state }) => state === 'up')
      .map(
        ({ name, counts }) =>
          [
            name,
            { opened: 1, absent: 0, malformed: 0, unknown: 0, expired: 0, forged: 0, revoked: 0, ...counts },
          ] as const,
      );
    const stores = (this.store?.members ?? []).map(({ name, evictions }) => [name, { evictions }] as const);
    const counting = this.store?.name === 'postgres' ? [] : stores;
    return Object.fromEntries([...ofBackends, ...counting]);
  }

  #keeping({ strategy }: Mode, ballastBytes: number, idleMs: number): Keeping {
    if (strategy === 'reference' || this.store === undefined) return new KeepingById(this.store, this.time);
    const kind = { strategy, ballastBytes, lifeMs: Math.min(300_000, idleMs / 3) };
    return new KeepingInBrowser(kind, this.store, this.time, (sid, by) => this.#tellEnded(sid, by));
  }

  /** Notifies the backends through the store. A backend that is cut off is notified when the link is healed. */
  #tellEnded(sid: string, by: Process): void {
    this.#ended.add(sid);
    this.time.after(notificationMs, () => {
      for (const backend of this.backends)
        if (backend.name !== by.name && !this.#isCutOff(backend.name)) backend.revoked.add(sid);
    });
  }

  #isCutOff(name: string): boolean {
    const server = this.store?.primaryOf(name).name ?? '';
    return [server, this.store?.name ?? ''].some(end => this.links.find(`${name}->${end}`)?.trouble.cut !== undefined);
  }
}

function findByName<T extends { readonly name: string }>(all: readonly T[], name: string): T {
  const one = all.find(each => each.name === name);
  if (one === undefined) throw new Error(`there is no ${name}`);
  return one;
}
