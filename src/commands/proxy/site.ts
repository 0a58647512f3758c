import type { ProxyEvent, ProxyOptions } from '../../proxy/options.js';
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
  readonly #names = new Map<string, string>();
  readonly #ready = new Set<string>();
  #keys: KeyRing | undefined;
  #next: { readonly options: ProxyOptions; readonly renamed: readonly string[] } | undefined;

  /** Returns the options that the flags ask for, with these backends. They hold once `begin` is called or the proxy reports the reload. */
  options(args: ProxyArgs, texts: readonly string[]): ProxyOptions {
    const given = givenKeyRing(args);
    const keys = given ?? this.#keys ?? generateKeyRing();
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
    return `${origin} is ${name} here and would be ${other} after a restart: the admin API and the metrics would use that name then`;
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function sentenceOf(event: ProxyEvent): string {
  switch (event.kind) {
    case 'listening':
      return listeningSentence(event);
    case 'backend':
      return `${event.backend}: ${event.from} -> ${event.to} (${event.reason})`;
    case 'absent':
      return `${event.backend}: down from the start; GET ${event.asked} was not answered 2xx: ${event.reason} (is it running? --health-path names another path); it is asked again and again`;
    case 'incarnation':
      return incarnationSentence(event);
    case 'drained':
      return `${event.backend}: drained (${event.reason === 'empty' ? 'no browser left' : 'the window is over'})`;
    case 'worker-silent':
      return `worker ${event.pid} has not reported for ${event.silentS} s: it gets no new connections, and is killed in ${event.killedInS} s unless it reports`;
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

function incarnationSentence({ backend, incarnation, changes = 1 }: Extract<ProxyEvent, { kind: 'incarnation' }>) {
  const often = changes === 1 ? '' : ` (${changes} changes in the last 10 s: does each answer name another boot?)`;
  return `${backend}: new incarnation ${incarnation}; sessions in its memory are gone${often}`;
}

function listeningSentence({ url, adminUrl, healthUrl }: Extract<ProxyEvent, { kind: 'listening' }>): string {
  const admin = adminUrl === undefined ? '' : `, admin API on ${adminUrl}`;
  return `listening on ${url}${admin}${healthUrl === undefined ? '' : `, /live and /ready on ${healthUrl}`}`;
}

function workerSentence({ pid, reason, replacedBy }: Extract<ProxyEvent, { kind: 'worker-lost' }>): string {
  const next = replacedBy === undefined ? '' : `; worker ${replacedBy} takes its place`;
  return `worker ${pid} ended (${reason}), and what it had in flight is lost${next}`;
}

function reloadedSentence({ changes, needsRestart }: Extract<ProxyEvent, { kind: 'reloaded' }>): string {
  const restart = needsRestart.length === 0 ? '' : `; only a restart would change ${needsRestart.join(', ')}`;
  return `reloaded: ${changes.length === 0 ? 'nothing new' : changes.join(', ')}${restart}`;
}
