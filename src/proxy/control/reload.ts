import { isDeepStrictEqual } from 'node:util';
import { type HostedBackend, listBackends, speaksTls } from '../hosts.js';
import type { HostOptions, ProxyOptions } from '../options.js';
import type { Member } from '../pool/member.js';
import type { Setting } from '../settings/setting.js';
import { settingEntries } from '../settings.js';

type Backend = HostedBackend;

/** The effect of a reload, decided before anything changes. */
export interface ReloadPlan {
  readonly added: readonly Backend[];
  readonly removed: readonly Backend[];
  /** Backends that stay and get another weight. */
  readonly reweighed: readonly Backend[];
  /** Backends that stay and get another `maxconn` or response timeout. */
  readonly relimited: readonly Backend[];
  /** The options in force afterwards: the new ones, except those that need a restart. */
  readonly options: ProxyOptions;
  /** The changes in words for the log. They never contain a key or a certificate. */
  readonly changes: readonly string[];
  /** Changes that need a restart, by the names of the flags. */
  readonly needsRestart: readonly string[];
}

/**
 * The rule of each option and its name in the log. Options without an entry are no settings, or are compared in a way of
 * their own.
 */
const rules = new Map<keyof ProxyOptions, readonly [rule: Setting['reload'], name: string]>();
for (const [flag, { option, reload, reloadName = `--${flag}` }] of settingEntries) {
  if (option !== undefined) rules.set(option, [reload, reloadName]);
}

/**
 * Computes the effect of a reload. If the name, the identity or the origin differs, it is another backend.
 */
export function planReload(now: ProxyOptions, next: ProxyOptions): ReloadPlan {
  const [before, after] = [listBackends(now), listBackends(next)];
  const added = after.filter(backend => !hasBackend(before, backend));
  const removed = before.filter(backend => !hasBackend(after, backend));
  const staying = after.filter(backend => hasBackend(before, backend));
  const isNew = (part: (backend: Backend) => unknown) => (backend: Backend) =>
    !before.some(other => hasBackend([other], backend) && part(other) === part(backend));
  const reweighed = staying.filter(isNew(({ weight = 1 }) => weight));
  const hasNewMaxconn = isNew(({ maxconn }) => maxconn);
  const hasNewTimeout = isNew(({ responseMs }) => responseMs);
  const relimited = staying.filter(backend => hasNewMaxconn(backend) || hasNewTimeout(backend));
  const changed = listChanged(now, next, 'live');
  return {
    added,
    removed,
    reweighed,
    relimited,
    options: {
      ...next,
      ...keepRestartOptions(now),
      tls: chooseTls(now, next),
      hosts: chooseHosts(now, next),
      onEvent: now.onEvent,
    },
    changes: [
      ...added.map(backend => `${describeBackend(backend)} added`),
      ...removed.map(backend => `${describeBackend(backend)} removed`),
      ...reweighed.map(backend => `${describeBackend(backend)} weighs ${backend.weight ?? 1}`),
      ...staying.filter(hasNewMaxconn).map(backend => `${describeBackend(backend)} ${describeLimit(backend)}`),
      ...staying.filter(hasNewTimeout).map(backend => `${describeBackend(backend)} ${describeTimeout(backend)}`),
      ...listAffinityChanges(now.affinity, next.affinity).map(part => `${part} changed`),
      ...(isDeepStrictEqual(now.tls, chooseTls(now, next)) ? [] : ['the certificate changed']),
      ...listHostChanges(now.hosts, chooseHosts(now, next)),
      ...changed.map(flag => `${flag} changed`),
    ],
    needsRestart: [...listChanged(now, next, 'restart'), ...(isPlain(now) === isPlain(next) ? [] : ['--tls-cert'])],
  };
}

type NamedUrl = Pick<Backend, 'name' | 'url' | 'identity'>;

function hasBackend(backends: readonly NamedUrl[], backend: NamedUrl): boolean {
  const { name, url } = backend;
  const identity = identityOf(backend);
  return backends.some(
    other => other.name === name && other.url.origin === url.origin && identityOf(other) === identity,
  );
}

/** The fields that tell one backend from another. */
type Identified = Pick<Backend, 'url' | 'identity' | 'host'>;

/** A backend of the pool. The admin API may have added it, and given it another name. */
type Present = Pick<Member, 'name' | 'identity' | 'url' | 'host'>;

/** The effect of a reload on the pool, which the admin API may have changed too. */
export interface PoolChange<M> {
  /** Without a name: the pool chooses one. */
  readonly joining: readonly (Omit<Backend, 'name'> & { readonly name?: string | undefined })[];
  readonly leaving: readonly M[];
  /** They were added by the admin API, and have the weight and the limits of the settings from now on. */
  readonly adopted: readonly Backend[];
}

/** Throws for a backend whose own name is the name of another one that the admin API has added. */
export function planPoolChange<M extends Present>(
  members: readonly M[],
  { added, removed }: Pick<ReloadPlan, 'added' | 'removed'>,
): PoolChange<M> {
  const leaving = members.filter(member => removed.some(backend => isSame(backend, member)));
  const staying = members.filter(member => !leaving.includes(member));
  const joining: PoolChange<M>['joining'][number][] = [];
  const adopted: Backend[] = [];
  for (const backend of added) {
    const twin = staying.find(member => hasSameAddress(backend, member));
    if (twin !== undefined && isSame(backend, twin)) {
      adopted.push(backend);
      continue;
    }
    if (twin !== undefined) leaving.push(twin);
    const namesake = staying.find(member => member.name === backend.name && member !== twin);
    if (namesake !== undefined && hasOwnName(backend)) throw refuseName(backend, namesake);
    joining.push(namesake === undefined ? backend : { ...backend, name: undefined });
  }
  return { joining, leaving, adopted };
}

/** Whether cookies of the one are valid for the other, at the same host and address. Names for display do not count. */
export function isSame(one: Identified, other: Identified): boolean {
  return hasSameAddress(one, other) && identityOf(one) === identityOf(other);
}

export function hasSameAddress(one: Identified, other: Identified): boolean {
  return one.host === other.host && one.url.origin === other.url.origin;
}

function hasOwnName(backend: Backend): boolean {
  return identityOf(backend) !== backend.url.origin;
}

function refuseName({ name, url }: Backend, namesake: Present): TypeError {
  return new TypeError(
    `${name} is the name of ${namesake.url.origin}, which the admin API added: give ${url.origin} another one`,
  );
}

function identityOf({ identity, url }: Pick<Backend, 'url' | 'identity'>): string {
  return identity ?? url.origin;
}

function describeLimit({ maxconn }: Backend): string {
  if (maxconn === undefined) return 'has the limit of --maxconn';
  return maxconn === 0 ? 'has no limit of requests' : `takes ${maxconn} requests at once`;
}

function describeTimeout({ responseMs }: Backend): string {
  return responseMs === undefined ? 'has the time of --response-timeout' : `has ${responseMs} ms to answer`;
}

function describeBackend({ name, url }: Backend): string {
  return `${name} (${url.origin})`;
}

function optionsWith(rule: Setting['reload']): (keyof ProxyOptions)[] {
  return [...rules].filter(([, [own]]) => own === rule).map(([option]) => option);
}

function listChanged(now: ProxyOptions, next: ProxyOptions, rule: Setting['reload']): string[] {
  return optionsWith(rule)
    .filter(option => !isDeepStrictEqual(now[option], next[option]))
    .map(option => rules.get(option)?.[1] ?? option);
}

function keepRestartOptions(now: ProxyOptions): Partial<ProxyOptions> {
  return Object.fromEntries(optionsWith('restart').map(option => [option, now[option]]));
}

/** Keeps a port's protocol, TLS or plain; only the certificate can change. */
function chooseTls(now: ProxyOptions, next: ProxyOptions): ProxyOptions['tls'] {
  return isPlain(now) || isPlain(next) ? now.tls : next.tls;
}

function isPlain(options: ProxyOptions): boolean {
  return !speaksTls(options);
}

/** Keeps the port's protocol, as `chooseTls` does. */
function chooseHosts(now: ProxyOptions, next: ProxyOptions): ProxyOptions['hosts'] {
  if (isPlain(now) === isPlain(next)) return next.hosts;
  return next.hosts?.map(each => ({ ...each, tls: now.hosts?.find(({ host }) => host === each.host)?.tls }));
}

/** Lists the pools of hosts that are new, gone or changed. Their backends are reported one by one. */
function listHostChanges(now: readonly HostOptions[] = [], next: readonly HostOptions[] = []): string[] {
  const find = (all: readonly HostOptions[], { host }: HostOptions) => all.find(other => other.host === host);
  const compare = (each: HostOptions): string[] => {
    const before = find(now, each);
    if (before === undefined) return [`host ${each.host} added`];
    const isSame = isDeepStrictEqual({ ...before, backends: [] }, { ...each, backends: [] });
    return isSame ? [] : [`host ${each.host} changed`];
  };
  const gone = now.filter(each => find(next, each) === undefined);
  return [...next.flatMap(compare), ...gone.map(({ host }) => `host ${host} removed`)];
}

/** Compares part by part, so that a key rotation is reported alone. Keys are compared and never shown. */
function listAffinityChanges(now: ProxyOptions['affinity'], next: ProxyOptions['affinity']): string[] {
  if (now === undefined || next === undefined) return now === next ? [] : ['--affinity'];
  const parts: [string, unknown, unknown][] = [
    ['the key ring', now.keys, next.keys],
    ['--pool', now.pool, next.pool],
    ['--same-site', now.sameSite, next.sameSite],
    ['--on-lost-affinity', now.onLost, next.onLost],
    ['--affinity-cookie or --affinity-header', now.learnFrom, next.learnFrom],
    ['--affinity-idle', now.idleMs, next.idleMs],
    ['--affinity-absolute', now.absoluteMs, next.absoluteMs],
  ];
  return parts.filter(([, before, after]) => !isDeepStrictEqual(before, after)).map(([part]) => part);
}
