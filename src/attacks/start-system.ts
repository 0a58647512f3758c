import { randomBytes } from 'node:crypto';
import { type Mode, type ModeName, modes, storesOf } from '../modes.js';
import type { Cluster, ClusterMember } from '../simulator/cluster/cluster.js';
import { ask, waitReadmitted, waitUntil } from '../simulator/cluster/probe.js';
import { readSharedRing } from '../simulator/cluster/shared-secrets.js';
import { startCluster } from '../simulator/cluster/start-cluster.js';
import { AttackBrowser, BrowserConnections, Inconclusive } from './tools/browser.js';
import type { Limits, Target } from './tools/target.js';
import type { WeakVariant } from './weak-variants.js';

/** The configuration of one system. All attacks that run on it need the same one. */
export interface SystemSpec {
  readonly mode: ModeName;
  /** Undefined: at full strength. */
  readonly variant: WeakVariant | undefined;
  readonly shortLimits: boolean;
}

/** A running system, with the means to repair and stop it. */
export interface System {
  readonly target: Target;
  /** Restarts the processes that an attack killed. Resolves when the proxy sends users to them again. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** Number of backends. A weak variant has fewer, so that it starts sooner. */
const backendCount = { full: 3, weak: 2 };
const password = 'secret';
const exitWithinMs = 5_000;
const healWithinMs = 15_000;
const healthWithinMs = 1_000;

/** Limits that are long enough to log in and check a session, and short enough to wait for. */
export const shortLimits: Limits = { idleMs: 2_000, absoluteMs: 5_000 };
const ordinaryLimits: Limits = { idleMs: 30 * 60_000, absoluteMs: 12 * 3_600_000 };

/** Health checks that tolerate a busy machine. An ejected healthy backend would log out its users in `sticky`. */
const health = { everyMs: 250, timeoutMs: 3_000, fall: 3, rise: 1 };

/** Lets an attack pretend that its requests come through a TLS terminator. */
const trusting = ['--trust', '127.0.0.1'];

/**
 * Starts a system of real processes on loopback. It always starts its own stores, because attacks fill the stores and
 * log out every user in them. Rejects as `startCluster` does.
 */
export async function startSystem(spec: SystemSpec, signal: AbortSignal): Promise<System> {
  const administratorPassword = randomBytes(16).toString('base64url');
  const cluster = await startCluster(
    {
      mode: spec.mode,
      backends: {
        count: spec.variant === undefined ? backendCount.full : backendCount.weak,
        env: buildEnvironment(spec, administratorPassword),
      },
      stores: storesOf(spec.mode),
      proxy: {
        health,
        extra: trusting,
        ...(spec.variant?.proxyProgram === undefined ? {} : { program: spec.variant.proxyProgram }),
      },
    },
    signal,
    () => {},
  );
  const connections = new BrowserConnections();
  const stop = async () => {
    connections.close();
    await cluster.stop();
  };
  return { target: targetOf(spec, cluster, connections, administratorPassword), heal: () => heal(cluster), stop };
}

function buildEnvironment({ variant, shortLimits: isShort }: SystemSpec, administratorPassword: string) {
  return {
    SHOP_PASSWORD: password,
    SHOP_ADMIN_PASSWORD: administratorPassword,
    ...(isShort ? { SHOP_IDLE: `${shortLimits.idleMs}ms`, SHOP_ABSOLUTE: `${shortLimits.absoluteMs}ms` } : {}),
    ...(variant?.defect === undefined ? {} : { SHOP_DEFECT: variant.defect }),
  };
}

function targetOf(
  spec: SystemSpec,
  cluster: Cluster,
  connections: BrowserConnections,
  administratorPassword: string,
): Target {
  const { affinity, strategy, revocationLagMs }: Mode = modes[spec.mode];
  let users = 0;
  let turn: Promise<unknown> = Promise.resolve();
  return {
    mode: spec.mode,
    strategy,
    affinity,
    proxyUrl: cluster.proxyUrl,
    backends: backendsOf(cluster).map(({ name, port }) => ({ name, url: `http://127.0.0.1:${port}` })),
    revocationLagMs,
    limits: spec.shortLimits ? shortLimits : ordinaryLimits,
    password,
    administratorPassword,
    keyRing: () => readSharedRing(cluster),
    freshUser: () => `user-${++users}`,
    browser: (origin = cluster.proxyUrl) => new AttackBrowser(connections, origin),
    kill: name => kill(cluster, name),
    restart: name => restart(cluster, cluster.member(name)),
    hasStore: storesOf(spec.mode).length > 0,
    loseStore: () => loseStore(cluster),
    inTurn: work => {
      const mine = turn.then(work);
      turn = mine.catch(() => undefined);
      return mine;
    },
  };
}

function backendsOf({ members }: Cluster) {
  return members.filter(({ role }) => role === 'backend');
}

async function kill(cluster: Cluster, name: string): Promise<void> {
  const member = cluster.member(name);
  if (!(await member.kill()) || !(await member.waitEnd(exitWithinMs)))
    throw new Inconclusive(`${name} could not be killed`);
}

async function loseStore(cluster: Cluster): Promise<void> {
  for (const member of cluster.members.filter(({ role }) => role === 'store')) {
    await kill(cluster, member.name);
    await member.start();
  }
  const hasStore = async ({ port }: ClusterMember) => {
    const { json } = await ask('GET', `http://127.0.0.1:${port}/health`, healthWithinMs);
    return Object(json).store === 'up';
  };
  const isBack = async () => (await Promise.all(backendsOf(cluster).map(hasStore))).every(Boolean);
  if (!(await waitUntil(isBack, healWithinMs))) throw new Inconclusive('a backend did not find the store again');
}

async function heal(cluster: Cluster): Promise<void> {
  const dead = cluster.members.filter(({ isRunning }) => !isRunning);
  for (const store of dead.filter(({ role }) => role === 'store')) await store.start();
  for (const backend of dead.filter(({ role }) => role === 'backend')) await restart(cluster, backend);
}

async function restart(cluster: Cluster, member: ClusterMember): Promise<void> {
  await member.start();
  await waitReadmitted(cluster, member, healWithinMs);
}
