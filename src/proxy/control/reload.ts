import { isDeepStrictEqual } from 'node:util';
import type { ProxyOptions } from '../options.js';

type Backend = ProxyOptions['backends'][number];

/** The effect of a reload, decided before anything changes. */
export interface ReloadPlan {
  readonly added: readonly Backend[];
  readonly removed: readonly Backend[];
  /** Backends that stay and get another weight. */
  readonly reweighed: readonly Backend[];
  /** The options in force afterwards: the new ones, except those that need a restart. */
  readonly options: ProxyOptions;
  /** The changes in words for the log. They never contain a key or a certificate. */
  readonly changes: readonly string[];
  /** Changes that need a restart, by the names of the flags. */
  readonly needsRestart: readonly string[];
}

/**
 * How a reload treats each option: changed live, kept until a restart, or `own`. `own` options have code of their own
 * or are no settings. The type requires a line for every option.
 */
const reloadRules: Readonly<Record<keyof ProxyOptions, readonly ['live' | 'restart' | 'own', flag: string]>> = {
  host: ['restart', '--host'],
  port: ['restart', '--port'],
  workers: ['restart', '--workers'],
  admin: ['restart', '--admin-port'],
  engine: ['restart', '--engine'],
  limits: ['restart', 'the limits'],
  backendTls: ['restart', 'TLS to the backends'],
  forwarded: ['restart', '--forwarded'],
  proxyProtocol: ['restart', '--proxy-protocol'],
  backends: ['own', '--backend'],
  affinity: ['own', '--affinity'],
  tls: ['own', '--tls-cert'],
  onEvent: ['own', ''],
  policy: ['live', '--policy'],
  hashKey: ['live', '--hash-key'],
  slowStartMs: ['live', '--slow-start'],
  health: ['live', '--health-*'],
  drainMs: ['live', '--drain'],
  trusted: ['live', '--trust'],
  namesBackends: ['live', '--name-backends'],
  accessLog: ['live', '--access-log'],
};

/**
 * Computes the effect of a reload. A backend is identified by name and origin: if one differs, it is another backend.
 */
export function planReload(now: ProxyOptions, next: ProxyOptions): ReloadPlan {
  const added = next.backends.filter(backend => !hasBackend(now.backends, backend));
  const removed = now.backends.filter(backend => !hasBackend(next.backends, backend));
  const reweighed = next.backends.filter(
    backend => hasBackend(now.backends, backend) && !hasTwin(now.backends, backend),
  );
  const changed = listChanged(now, next, 'live');
  return {
    added,
    removed,
    reweighed,
    options: { ...next, ...keepRestartOptions(now), tls: chooseTls(now, next), onEvent: now.onEvent },
    changes: [
      ...added.map(backend => `${describeBackend(backend)} added`),
      ...removed.map(backend => `${describeBackend(backend)} removed`),
      ...reweighed.map(backend => `${describeBackend(backend)} weighs ${backend.weight ?? 1}`),
      ...listAffinityChanges(now.affinity, next.affinity).map(part => `${part} changed`),
      ...(isDeepStrictEqual(now.tls, chooseTls(now, next)) ? [] : ['the certificate changed']),
      ...changed.map(flag => `${flag} changed`),
    ],
    needsRestart: [...listChanged(now, next, 'restart'), ...(isPlain(now) === isPlain(next) ? [] : ['--tls-cert'])],
  };
}

export function hasBackend(backends: readonly Backend[], { name, url }: Backend): boolean {
  return backends.some(other => other.name === name && other.url.origin === url.origin);
}

/** Whether the list has the same backend with the same weight. */
function hasTwin(backends: readonly Backend[], backend: Backend): boolean {
  return backends.some(other => hasBackend([other], backend) && (other.weight ?? 1) === (backend.weight ?? 1));
}

function describeBackend({ name, url }: Backend): string {
  return `${name} (${url.origin})`;
}

function keysOf(rule: 'live' | 'restart'): (keyof ProxyOptions)[] {
  const keys: (keyof ProxyOptions)[] = [];
  for (const key in reloadRules) if (isOption(key) && reloadRules[key][0] === rule) keys.push(key);
  return keys;
}

function isOption(key: string): key is keyof ProxyOptions {
  return Object.hasOwn(reloadRules, key);
}

function listChanged(now: ProxyOptions, next: ProxyOptions, rule: 'live' | 'restart'): string[] {
  return keysOf(rule)
    .filter(key => !isDeepStrictEqual(now[key], next[key]))
    .map(key => reloadRules[key][1]);
}

function keepRestartOptions(now: ProxyOptions): Partial<ProxyOptions> {
  return Object.fromEntries(keysOf('restart').map(key => [key, now[key]]));
}

/** Keeps a port's protocol, TLS or plain; only the certificate can change. */
function chooseTls(now: ProxyOptions, next: ProxyOptions): ProxyOptions['tls'] {
  return isPlain(now) || isPlain(next) ? now.tls : next.tls;
}

function isPlain({ tls }: ProxyOptions): boolean {
  return tls === undefined;
}

/** Compares part by part, so that a key rotation is reported alone. Keys are compared and never shown. */
function listAffinityChanges(now: ProxyOptions['affinity'], next: ProxyOptions['affinity']): string[] {
  if (now === undefined || next === undefined) return now === next ? [] : ['--affinity'];
  const parts: [string, unknown, unknown][] = [
    ['the key ring', now.keys, next.keys],
    ['--pool', now.pool, next.pool],
    ['--same-site', now.sameSite, next.sameSite],
    ['--on-lost-affinity', now.onLost, next.onLost],
    ['how long an affinity lasts', [now.idleMs, now.absoluteMs], [next.idleMs, next.absoluteMs]],
  ];
  return parts.filter(([, before, after]) => !isDeepStrictEqual(before, after)).map(([part]) => part);
}
