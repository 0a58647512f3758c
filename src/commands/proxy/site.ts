import type { ProxyEvent, ProxyOptions } from '../../proxy/options.js';
import type { SitePast } from '../../proxy/restart/messages.js';
import { generateKeyRing, type KeyRing } from '../../shared/key-ring.js';
import { UsageError } from '../lib/errors.js';
import { errorColours } from '../lib/streams.js';
import type { ProxyArgs } from './flags.js';
import { givenKeyRing, proxyOptions } from './options.js';

const ownRing =
  'no key ring given (--secrets-file or HOLDFAST_SECRETS): made one for this process only; ' +
  'after a restart, and at another proxy, every browser is bound anew';

/** Keeps what outlasts a reload: the names of the backends, a generated key ring, and which backends were ever ready. */
export class ProxySite {
  readonly #names: Map<string, string>;
  readonly #ready = new Set<string>();
  #keys: KeyRing | undefined;
  #next: { readonly options: ProxyOptions; readonly renamed: readonly string[] } | undefined;

  /** `past`: what the process before this one kept. */
  constructor(past?: SitePast) {
    this.#names = new Map(past?.names);
    this.#keys = past?.keys;
  }

  /** Returns what a successor must keep. It holds keys. */
  get past(): SitePast {
    return { keys: this.#keys, names: this.#names };
  }

  /** Returns the options that the flags ask for. They hold once `begin` is called or the proxy reports the reload. */
  options(args: ProxyArgs): ProxyOptions {
    const given = givenKeyRing(args);
    const keys = given ?? this.#keys ?? generateKeyRing();
    const { backend: texts = [] } = args;
    if (texts.length === 0) throw new UsageError('there is no --backend any more: expected at least one.');
    const options = proxyOptions(args, texts, keys, event => this.#onEvent(event), this.#names);
    if (options.affinity !== undefined && given === undefined && this.#keys === undefined) say(ownRing);
    if (options.affinity !== undefined || given !== undefined) this.#keys = keys;
    this.#next = {
      options,
      renamed: renamedByRestart(
        options,
        proxyOptions(args, texts, keys, () => {}),
      ),
    };
    return options;
  }

  /** Keeps the names of new backends, and warns of names that would change after a restart. */
  begin(): void {
    if (this.#next === undefined) return;
    const { options, renamed } = this.#next;
    for (const { url, name } of options.backends) this.#names.set(url.origin, name);
    for (const line of renamed) say(line);
  }

  #onEvent(event: ProxyEvent): void {
    if (event.kind === 'backend' && event.to === 'ready') this.#ready.add(event.backend);
    // Before it was ready here, this process cannot know that another boot came before.
    if (event.kind === 'incarnation' && !this.#ready.has(event.backend)) return;
    say(`${errorColours().dim(new Date().toISOString())} ${sentenceOf(event)}`);
    if (event.kind === 'reloaded') this.begin();
  }
}

/** Lists the backends that a restart would rename: names follow the order in the file, and this process keeps them. */
function renamedByRestart(options: ProxyOptions, restarted: ProxyOptions): string[] {
  return options.backends.flatMap(({ name, url: { origin } }, index) => {
    const other = restarted.backends[index]?.name;
    if (other === undefined || other === name) return [];
    return `${origin} is ${name} here and would be ${other} after a restart, and at another proxy: its browsers would be bound anew. To keep them write ${name}=${origin}`;
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function sentenceOf(event: ProxyEvent): string {
  switch (event.kind) {
    case 'listening':
      return `listening on ${event.url}${event.adminUrl === undefined ? '' : `, admin API on ${event.adminUrl}`}`;
    case 'backend':
      return `${event.backend}: ${event.from} -> ${event.to} (${event.reason})`;
    case 'absent':
      return `${event.backend}: down from the start; GET ${event.asked} was not answered 2xx: ${event.reason} (is it running? --health-path names another path); it is asked again and again`;
    case 'incarnation':
      return `${event.backend}: new incarnation ${event.incarnation}; sessions in its memory are gone`;
    case 'drained':
      return `${event.backend}: drained (${event.reason === 'empty' ? 'no browser left' : 'the window is over'})`;
    case 'worker-lost':
      return workerSentence(event);
    case 'closing':
      return `closing; ${event.inFlight} in flight`;
    case 'reloaded':
      return reloadedSentence(event);
    case 'reload-refused':
      return `not reloaded, nothing has changed: ${event.reason.replaceAll(/\s*\n\s*/g, '; ')}`;
  }
}

function workerSentence({ pid, reason, replacedBy }: Extract<ProxyEvent, { kind: 'worker-lost' }>): string {
  const next = replacedBy === undefined ? '' : `; worker ${replacedBy} takes its place`;
  return `worker ${pid} ended (${reason}), and what it had in flight is lost${next}`;
}

function reloadedSentence({ changes, needsRestart }: Extract<ProxyEvent, { kind: 'reloaded' }>): string {
  const restart = needsRestart.length === 0 ? '' : `; only a restart would change ${needsRestart.join(', ')}`;
  return `reloaded: ${changes.length === 0 ? 'nothing new' : changes.join(', ')}${restart}`;
}
