import { isDeepStrictEqual } from 'node:util';
import type { ProxyOptions } from '../options.js';
import { type Setting, settingEntries } from '../settings.js';

type Backend = ProxyOptions['backends'][number];

/** What a reload does, as decided before anything is touched. */
export interface ReloadPlan {
  readonly added: readonly Backend[];
  readonly removed: readonly Backend[];
  /** Those that stay, with another weight than they were given before. */
  readonly reweighed: readonly Backend[];
  /** The options that hold afterwards: the new ones, but for what only a restart can change. */
  readonly options: ProxyOptions;
  /** What changes, in words for a line of the log. A key or a certificate is never part of them. */
  readonly changes: readonly string[];
  /** What would change if the proxy were started again, by the names of the flags. */
  readonly needsRestart: readonly string[];
}

/**
 * The rule of each option and its name in the log. Limits have no flag. Options without an entry are no settings, or are
 * compared in a way of their own.
 */
const rules = new Map<keyof ProxyOptions, readonly [rule: Setting['reload'], name: string]>([
  ['limits', ['restart', 'the limits']],
]);
for (const [flag, { option, reload, reloadName = `--${flag}` }] of settingEntries) {
  if (option !== undefined) rules.set(option, [reload, reloadName]);
}

/** A backend is its name and its origin: under another one of the two it is another backend. */
export function planReload(now: ProxyOptions, next: ProxyOptions): ReloadPlan {
  const added = next.backends.filter(backend => !hasBackend(now.backends, backend));
  const removed = now.backends.filter(backend => !hasBackend(next.backends, backend));
  const reweighed = next.backends.filter(
    backend => hasBackend(now.backends, backend) && !hasTwin(now.backends, backend),
  );
  const changed = differing(now, next, 'live');
  return {
    added,
    removed,
    reweighed,
    options: { ...next, ...kept(now), tls: tlsAfter(now, next), onEvent: now.onEvent },
    changes: [
      ...added.map(backend => `${wordFor(backend)} added`),
      ...removed.map(backend => `${wordFor(backend)} removed`),
      ...reweighed.map(backend => `${wordFor(backend)} weighs ${backend.weight ?? 1}`),
      ...affinityChanges(now.affinity, next.affinity).map(part => `${part} changed`),
      ...(isDeepStrictEqual(now.tls, tlsAfter(now, next)) ? [] : ['the certificate changed']),
      ...changed.map(flag => `${flag} changed`),
    ],
    needsRestart: [...differing(now, next, 'restart'), ...(isPlain(now) === isPlain(next) ? [] : ['--tls-cert'])],
  };
}

export function hasBackend(backends: readonly Backend[], { name, url }: Backend): boolean {
  return backends.some(other => other.name === name && other.url.origin === url.origin);
}

/** The same backend, with the same weight. */
function hasTwin(backends: readonly Backend[], backend: Backend): boolean {
  return backends.some(other => hasBackend([other], backend) && (other.weight ?? 1) === (backend.weight ?? 1));
}

function wordFor({ name, url }: Backend): string {
  return `${name} (${url.origin})`;
}

function optionsWith(rule: Setting['reload']): (keyof ProxyOptions)[] {
  return [...rules].filter(([, [own]]) => own === rule).map(([option]) => option);
}

function differing(now: ProxyOptions, next: ProxyOptions, rule: Setting['reload']): string[] {
  return optionsWith(rule)
    .filter(option => !isDeepStrictEqual(now[option], next[option]))
    .map(option => rules.get(option)?.[1] ?? option);
}

function kept(now: ProxyOptions): Partial<ProxyOptions> {
  return Object.fromEntries(optionsWith('restart').map(option => [option, now[option]]));
}

/** A port goes on speaking what it speaks; only the certificate can be another. */
function tlsAfter(now: ProxyOptions, next: ProxyOptions): ProxyOptions['tls'] {
  return isPlain(now) || isPlain(next) ? now.tls : next.tls;
}

function isPlain({ tls }: ProxyOptions): boolean {
  return tls === undefined;
}

/** In parts, since a key ring is exchanged by itself; its keys are compared, and never shown. */
function affinityChanges(now: ProxyOptions['affinity'], next: ProxyOptions['affinity']): string[] {
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
