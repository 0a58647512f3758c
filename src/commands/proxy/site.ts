import { defaultHost, listBackends, listPools } from '../../proxy/hosts.js';
import type { ProxyEvent, ProxyOptions } from '../../proxy/options.js';
import type { SiteSnapshot } from '../../proxy/restart/handover.js';
import { generateKeyRing, type KeyRing } from '../../shared/key-ring.js';
import { UsageError } from '../lib/flags.js';
import { errorColours } from '../lib/streams.js';
import type { ProxyArgs } from './flags.js';
import { buildHostOptions, buildProxyOptions, readKeyRing } from './options.js';
import type { HostSettings } from './settings.js';

const ownRing =
  'no key ring given (--secrets-file or HOLDFAST_SECRETS): made one for this process only; ' +
  'after a restart, and at another proxy, every browser is bound anew';

/** Keeps what outlasts a reload: the names of the backends, a generated key ring, and which backends were ever ready. */
export class ProxySite {
  readonly #names: Map<string, string>;
  readonly #ready = new Set<string>();
  #keys: KeyRing | undefined;
  #next: { readonly options: ProxyOptions; readonly renamed: readonly string[] } | undefined;

  /** `snapshot`: from the process that this one replaces. */
  constructor(snapshot?: SiteSnapshot) {
    this.#names = new Map(snapshot?.names);
    this.#keys = snapshot?.keys;
  }

  /** Returns the values that a successor needs. They hold keys. */
  get snapshot(): SiteSnapshot {
    return { keys: this.#keys, names: this.#names };
  }

  /**
   * Returns the options that the settings ask for, with these backends at the top. They hold once `begin` is called or
   * the proxy reports the reload.
   */
  options(args: ProxyArgs, texts: readonly string[], hosts: readonly HostSettings[] = []): ProxyOptions {
    const given = readKeyRing(args);
    const keys = given ?? this.#keys ?? generateKeyRing();
    if (texts.length === 0 && hosts.length === 0)
      throw new UsageError('there is no --backend any more: expected at least one.');
    const onEvent = (event: ProxyEvent) => this.#onEvent(event);
    const build = (known: SiteSnapshot['names']) => {
      const pools = hosts.map(({ host, checked }) =>
        checked(own => buildHostOptions(host, own, keys, namesOf(host, known))),
      );
      return buildProxyOptions(args, texts, keys, onEvent, namesOf(defaultHost, known), pools);
    };
    const options = build(this.#names);
    const usesKeys = [...listPools(options).values()].some(({ affinity }) => affinity !== undefined);
    if (usesKeys && given === undefined && this.#keys === undefined) say(ownRing);
    if (usesKeys || given !== undefined) this.#keys = keys;
    this.#next = { options, renamed: listRenamedByRestart(options, build(new Map())) };
    return options;
  }

  /** Keeps the names of new backends, and warns of names that would change after a restart. */
  begin(): void {
    if (this.#next === undefined) return;
    const { options, renamed } = this.#next;
    for (const { host, url, name } of listBackends(options)) this.#names.set(`${host} ${url.origin}`, name);
    for (const line of renamed) say(line);
  }

  #onEvent(event: ProxyEvent): void {
    if (event.kind === 'backend' && event.to === 'ready') this.#ready.add(event.backend);
    // Before it was ready here, this process cannot know that another boot came before.
    if (event.kind === 'incarnation' && !this.#ready.has(event.backend)) return;
    say(`${errorColours().dim(new Date().toISOString())} ${describeEvent(event)}`);
    if (event.kind === 'reloaded') this.begin();
  }
}

/** Returns the names of the backends of one pool by their origins, without the host before them. */
function namesOf(host: string, known: SiteSnapshot['names']): ReadonlyMap<string, string> {
  const prefix = host === defaultHost ? '' : `${host}:`;
  const own = [...known].filter(([key]) => key.startsWith(`${host} `));
  return new Map(own.map(([key, name]) => [key.slice(host.length + 1), name.slice(prefix.length)]));
}

/** Lists the backends that a restart would rename: names follow the order in the file, and this process keeps them. */
function listRenamedByRestart(options: ProxyOptions, restarted: ProxyOptions): string[] {
  const others = listBackends(restarted);
  return listBackends(options).flatMap(({ name, url: { origin } }, index) => {
    const other = others[index]?.name;
    if (other === undefined || other === name) return [];
    return `${origin} is ${name} here and would be ${other} after a restart: the admin API and the metrics would use that name then`;
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function describeEvent(event: ProxyEvent): string {
  switch (event.kind) {
    case 'listening':
      return describeListening(event);
    case 'redirecting':
      return `redirecting ${event.url} to https`;
    case 'backend':
      return `${event.backend}: ${event.from} -> ${event.to} (${event.reason})`;
    case 'absent':
      return `${event.backend}: down from the start; GET ${event.asked} was not answered 2xx: ${event.reason} (is it running? --health-path names another path); it is asked again and again`;
    case 'incarnation':
      return describeIncarnation(event);
    case 'drained':
      return `${event.backend}: drained (${event.reason === 'empty' ? 'no browser left' : 'the window is over'})`;
    case 'worker-silent':
      return `worker ${event.pid} has not reported for ${event.silentS} s: it gets no new connections, and is killed in ${event.killedInS} s unless it reports`;
    case 'worker-lost':
      return describeLostWorker(event);
    case 'closing':
      return `closing; ${event.inFlight} in flight`;
    case 'reloaded':
      return describeReload(event);
    case 'reload-refused':
      return `not reloaded, nothing has changed: ${event.reason.replaceAll(/\s*\n\s*/g, '; ')}`;
  }
}

function describeIncarnation({ backend, incarnation, changes = 1 }: Extract<ProxyEvent, { kind: 'incarnation' }>) {
  const often = changes === 1 ? '' : ` (${changes} changes in the last 10 s: does each answer name another boot?)`;
  return `${backend}: new incarnation ${incarnation}; sessions in its memory are gone${often}`;
}

function describeListening({ url, adminUrl, healthUrl }: Extract<ProxyEvent, { kind: 'listening' }>): string {
  const admin = adminUrl === undefined ? '' : `, admin API on ${adminUrl}`;
  return `listening on ${url}${admin}${healthUrl === undefined ? '' : `, /live and /ready on ${healthUrl}`}`;
}

function describeLostWorker({ pid, reason, replacedBy }: Extract<ProxyEvent, { kind: 'worker-lost' }>): string {
  const next = replacedBy === undefined ? '' : `; worker ${replacedBy} takes its place`;
  return `worker ${pid} ended (${reason}), and what it had in flight is lost${next}`;
}

function describeReload({ changes, needsRestart }: Extract<ProxyEvent, { kind: 'reloaded' }>): string {
  const restart = needsRestart.length === 0 ? '' : `; only a restart would change ${needsRestart.join(', ')}`;
  return `reloaded: ${changes.length === 0 ? 'nothing new' : changes.join(', ')}${restart}`;
}
