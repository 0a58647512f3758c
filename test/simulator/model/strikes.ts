import { parseDuration } from '#src/shared/units.js';
import { countShare, planSteps } from '#src/simulator/cluster/rollout.js';
import { endsOf, kindOf } from '#src/simulator/cluster/targets.js';
import { randomStream } from '#src/simulator/plan/random.js';
import type { LinkTrouble } from './links.js';
import type { StoreServer } from './store.js';
import { bootMs, type ModelSystem } from './system.js';

/** A fault of the system in memory. */
export interface ModelFault {
  /** Resolves when the lab would have confirmed the fault. */
  inject(): Promise<void>;
  /** Resolves when the system has recovered from the fault. */
  heal(): Promise<void>;
}

type Options = Readonly<Record<string, unknown>>;
type Strike = (system: ModelSystem, target: string, options: Options) => ModelFault;

/** Time after which the lab considers a member silent. */
const silentForMs = 260;
const quickMs = 5;
const exitMs = 60;

/** The faults, by the keys of the fault registry. */
export const strikes: Readonly<Record<string, Strike>> = {
  kill: (system, target) => byKind(system, target, { backend: killBackend, proxy: killProxy, store: killStore }),
  hang: (system, target) => byKind(system, target, { backend: hangBackend, proxy: hangProxy, store: hangStore }),
  drain: (system, target) => ({
    inject: () => drainBackend(system, target),
    heal: () => system.bootBackend(target),
  }),
  'scale-in': (system, target) => ({ inject: () => drainBackend(system, target), heal: async () => undefined }),
  'scale-out': (system, target) => ({ inject: () => system.bootBackend(target), heal: async () => undefined }),
  deploy: (system, _target, options) => deployVersion(system, options),
  flap: flapBackend,
  errors: (system, target, { percent }) =>
    switchOf(system, on => {
      system.backend(target).errorPercent = on ? Number(percent) : 0;
    }),
  block: (system, target, { stall, every }) =>
    switchOf(system, on => {
      const block = { stallMs: msOf(stall), everyMs: msOf(every), sinceMs: system.time.now() };
      system.backend(target).block = on ? block : undefined;
    }),
  'clock-skew': (system, target, { by }) =>
    switchOf(system, on => {
      system.backend(target).clockMs = on ? msOf(by) : 0;
    }),
  'cut-link': (system, target, { direction = 'both' }) => cutLink(system, target, directionOf(direction)),
  slow: (system, target, { latency, jitter = '0ms' }) =>
    linkTrouble(system, target, { latencyMs: msOf(latency), jitterMs: msOf(jitter) }, msOf(latency)),
  throttle: (system, target) => linkTrouble(system, target, { latencyMs: 200 }, silentForMs),
  reset: (system, target, { bytes }) => breakAnswers(system, target, Number(bytes)),
  truncate: (system, target, { bytes }) => breakAnswers(system, target, Number(bytes)),
  // Most lost packets are sent again after 200 ms, a lost handshake after 1 s.
  loss: (system, target) => linkTrouble(system, target, { latencyMs: 400, jitterMs: 400 }, quickMs),
  drop: (system, target) => linkTrouble(system, target, { packets: 'dropped' }, silentForMs),
  refuse: (system, target) => refuseLink(system, target),
  stop: (system, target) => stopStore(system, target),
  'power-cut': powerCut,
  pause: (system, target, { length = '1s' }) => pauseStore(system, target, msOf(length)),
  promote,
  'rotate-secrets': system => replaceKey(system, keys => ['key-2', ...keys]),
  'replace-secrets': system => replaceKey(system, () => ['key-2']),
};

function byKind(
  system: ModelSystem,
  target: string,
  strikesOfKind: Readonly<Record<'backend' | 'proxy' | 'store', (system: ModelSystem, target: string) => ModelFault>>,
): ModelFault {
  const kind = kindOf(target);
  if (kind !== 'backend' && kind !== 'proxy' && kind !== 'store') throw new Error(`cannot strike ${target}`);
  return strikesOfKind[kind](system, target);
}

function killBackend(system: ModelSystem, target: string): ModelFault {
  return {
    async inject() {
      system.killBackend(target);
      await system.wait(quickMs);
    },
    heal: () => system.bootBackend(target),
  };
}

function killProxy(system: ModelSystem, target: string): ModelFault {
  const proxy = system.proxy(target);
  return {
    async inject() {
      proxy.kill();
      system.mark(target, 'dead');
      await system.wait(quickMs);
    },
    async heal() {
      await system.wait(bootMs);
      proxy.state = 'up';
      system.mark(target, 'up');
    },
  };
}

function storeOf(system: ModelSystem) {
  if (system.store === undefined) throw new Error('this mode has no store');
  return system.store;
}

function killStore(system: ModelSystem, target: string): ModelFault {
  const store = storeOf(system);
  const server = store.member(target);
  return {
    async inject() {
      store.kill(server);
      system.mark(server.name, 'dead');
      await system.wait(quickMs);
    },
    heal: () => startStore(system, server),
  };
}

/** Starts a store server. If its replica was promoted meanwhile, it follows the replica; otherwise its replicas copy
 * it. */
async function startStore(system: ModelSystem, server: StoreServer): Promise<void> {
  await system.wait(bootMs);
  const store = storeOf(system);
  const leader = store.primaryOf('backend-1');
  if (leader !== server && server === store.members[0]) store.followPromoted(leader);
  for (const replica of server.replicas) replica.copy(server);
  server.state = 'up';
  system.mark(server.name, 'up');
}

function hangBackend(system: ModelSystem, target: string): ModelFault {
  const backend = system.backend(target);
  return {
    async inject() {
      backend.hang();
      system.ejectLater(target, () => backend.state !== 'hung');
      await system.wait(silentForMs);
      system.mark(target, 'stopped');
    },
    async heal() {
      backend.goOn();
      await system.readmit(target);
    },
  };
}

function hangProxy(system: ModelSystem, target: string): ModelFault {
  const proxy = system.proxy(target);
  return {
    async inject() {
      proxy.state = 'hung';
      await system.wait(silentForMs);
      system.mark(target, 'stopped');
    },
    async heal() {
      proxy.state = 'up';
      system.mark(target, 'up');
    },
  };
}

function hangStore(system: ModelSystem, target: string): ModelFault {
  const server = storeOf(system).member(target);
  return {
    async inject() {
      server.state = 'hung';
      server.feed = 'waiting';
      await system.wait(silentForMs);
      system.mark(server.name, 'stopped');
    },
    async heal() {
      server.state = 'up';
      server.catchUp();
      system.mark(server.name, 'up');
    },
  };
}

function pauseStore(system: ModelSystem, target: string, lengthMs: number): ModelFault {
  const server = storeOf(system).member(target);
  let endsMs = 0;
  return {
    async inject() {
      server.state = 'hung';
      endsMs = system.time.now() + lengthMs;
      system.time.at(endsMs, () => {
        server.state = 'up';
      });
      await system.wait(silentForMs);
    },
    heal: () => system.time.until(endsMs + quickMs),
  };
}

/** Stops a store server in good order. Every store saves its data first, except a Redis without persistence. */
function stopStore(system: ModelSystem, target: string): ModelFault {
  const server = storeOf(system).member(target);
  return {
    async inject() {
      server.state = 'dead';
      system.mark(server.name, 'dead');
      await system.wait(exitMs);
    },
    heal: () => startStore(system, server),
  };
}

/** Cuts the power right before the end of a second, which loses the writes of that second. */
function powerCut(system: ModelSystem, target: string): ModelFault {
  const server = storeOf(system).member(target);
  return {
    async inject() {
      const secondMs = Math.ceil(system.time.now() / 1_000) * 1_000;
      await system.time.until(secondMs + 900);
      server.undoSince(secondMs);
      server.state = 'dead';
      system.mark(server.name, 'dead');
      await system.wait(quickMs);
    },
    heal: () => startStore(system, server),
  };
}

function promote(system: ModelSystem, target: string, options: Options): ModelFault {
  const store = storeOf(system);
  const replica = store.member(target);
  const named = options['for-backends'];
  return {
    async inject() {
      store.promote(replica, Array.isArray(named) ? named.map(String) : undefined);
      await system.wait(30);
    },
    async heal() {
      store.followPromoted(replica);
      await system.wait(30);
    },
  };
}

/** Drains a backend: it finishes its open requests, then its process ends. */
async function drainBackend(system: ModelSystem, target: string): Promise<void> {
  const candidate = system.candidate(target);
  candidate.state = 'draining';
  system.mark(target, 'draining');
  await system.wait(system.drainMs);
  candidate.state = 'out';
  await system.wait(exitMs);
  system.killBackend(target);
}

/** Replaces the version of all backends, one step at a time, and brings it back if the options say so. */
function deployVersion(system: ModelSystem, options: Options): ModelFault {
  const { surge = 0, unavailable = 1, canary, pause, rollback } = options;
  const [schema, newSchema] = [system.backend('backend-1').schema, schemaIn(options.to)];
  const before = { version: 'A', schema };
  const after = { version: String(options.version ?? 'B'), schema: newSchema ?? schema };
  const count = system.backends.filter(({ state }) => state === 'up').length;
  const rollOut = async (release: typeof before, share: number): Promise<void> => {
    const goal = {
      ...{ count, wanted: countShare(share, count) },
      ...{ surge: Number(surge), unavailable: Number(unavailable) },
    };
    for (;;) {
      const slots = system.backends.map(({ name, state, version }) => {
        const isNew = version === release.version;
        return { name, state: state === 'up' ? ('ready' as const) : ('free' as const), isNew };
      });
      const { start, remove } = planSteps(slots, goal);
      if (start[0] !== undefined) {
        Object.assign(system.backend(start[0]), release);
        await system.bootBackend(start[0]);
      } else if (remove[0] !== undefined) await drainBackend(system, remove[0]);
      else return;
    }
  };
  return {
    async inject() {
      if (canary !== undefined) await rollOut(after, Number.parseInt(String(canary), 10) / 100);
      if (pause !== undefined) await system.wait(msOf(pause));
      if (canary === undefined || pause !== undefined) await rollOut(after, 1);
    },
    heal: async () => (rollback === undefined ? undefined : rollOut(before, 1)),
  };
}

function schemaIn(to: unknown): string | undefined {
  const found = /"SHOP_SESSION_SCHEMA":"?([^",}]+)/.exec(JSON.stringify(to ?? {}));
  return found?.[1];
}

/** Kills and starts a backend in turn, by a schedule that is the same in every run. */
function flapBackend(system: ModelSystem, target: string, { up, down }: Options): ModelFault {
  const random = randomStream(1, `${target}/flap`);
  const wait = (ms: number) => system.wait(ms * (0.5 + random()));
  let isOver = false;
  let flapping: Promise<void> = Promise.resolve();
  const goOn = async (): Promise<void> => {
    while (!isOver) {
      await wait(msOf(down));
      if (isOver) return;
      await system.bootBackend(target);
      await wait(msOf(up));
      if (!isOver) system.killBackend(target);
    }
  };
  return {
    async inject() {
      system.killBackend(target);
      flapping = goOn();
      await system.wait(quickMs);
    },
    async heal() {
      isOver = true;
      await flapping;
      if (system.backend(target).state === 'dead') await system.bootBackend(target);
    },
  };
}

function switchOf(system: ModelSystem, turn: (on: boolean) => void): ModelFault {
  return {
    async inject() {
      turn(true);
      await system.wait(20);
    },
    async heal() {
      turn(false);
    },
  };
}

function replaceKey(system: ModelSystem, ring: (keys: readonly string[]) => readonly string[]): ModelFault {
  return {
    async inject() {
      for (const backend of system.backends) backend.keys = ring(backend.keys);
      await system.wait(20);
    },
    heal: async () => undefined,
  };
}

function linkTrouble(system: ModelSystem, target: string, trouble: LinkTrouble, seenAfterMs: number): ModelFault {
  const link = system.links.get(target);
  return {
    async inject() {
      link.trouble = trouble;
      await system.wait(seenAfterMs);
    },
    async heal() {
      link.heal();
    },
  };
}

function breakAnswers(system: ModelSystem, target: string, bytes: number): ModelFault {
  const link = system.links.get(target);
  const fault = linkTrouble(system, target, { breakAfterBytes: bytes }, quickMs);
  return {
    async inject() {
      await fault.inject();
      for (let tries = 0; link.brokenAnswers === 0 && tries < 30; tries += 1) await system.wait(10);
    },
    heal: fault.heal,
  };
}

function cutLink(system: ModelSystem, target: string, cut: NonNullable<LinkTrouble['cut']>): ModelFault {
  const [from = '', to = ''] = endsOf(target) ?? [];
  const fault = linkTrouble(system, target, { cut }, silentForMs);
  if (kindOf(from) === 'store') return cutFeed(system, to, fault);
  if (kindOf(from) === 'backend') {
    const heal = () => fault.heal().then(() => system.catchUp(from));
    return { inject: fault.inject, heal };
  }
  return {
    async inject() {
      const broken = fault.inject();
      system.ejectLater(to, () => system.links.get(target).trouble.cut === undefined);
      await broken;
    },
    async heal() {
      await fault.heal();
      await system.readmit(to);
    },
  };
}

/** Refuses the connections of a proxy to a backend. Open ones are reset, so each request in flight is retried or fails. */
function refuseLink(system: ModelSystem, target: string): ModelFault {
  const [from = '', to = ''] = endsOf(target) ?? [];
  const fault = linkTrouble(system, target, { packets: 'refused' }, quickMs);
  return {
    async inject() {
      const broken = fault.inject();
      system.proxy(from).abortRequests(system.backend(to));
      system.ejectLater(to, () => system.links.get(target).trouble.packets === undefined);
      await broken;
    },
    async heal() {
      await fault.heal();
      await system.readmit(to);
    },
  };
}

/** Cuts a replication link. The replica misses changes of its primary, and copies them when the link is healed. */
function cutFeed(system: ModelSystem, to: string, fault: ModelFault): ModelFault {
  const store = storeOf(system);
  const replica = store.member(to);
  return {
    async inject() {
      replica.feed = 'cut';
      await fault.inject();
    },
    async heal() {
      await fault.heal();
      const feeder = store.members.find(({ replicas }) => replicas.includes(replica));
      if (feeder?.state === 'up' && !replica.isPromoted) replica.copy(feeder);
      replica.feed = 'well';
    },
  };
}

function directionOf(value: unknown): NonNullable<LinkTrouble['cut']> {
  return value === 'forward' || value === 'back' ? value : 'both';
}

function msOf(value: unknown): number {
  const text = String(value);
  return (text.startsWith('-') ? -1 : 1) * (parseDuration(text.replace(/^[+-]/, '')) ?? 0);
}
