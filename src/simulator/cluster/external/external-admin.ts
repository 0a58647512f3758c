import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from '../../errors.js';
import type { LabProcess, ProxyAdmin, ProxyBackend } from '../cluster.js';
import { ask } from '../probe.js';
import { describeEnd, joinLines, type RunShell, type ShellEnd } from '../processes/run-program.js';
import {
  canDrain,
  commandFor,
  type ExternalPlace,
  type ExternalProxy,
  renderTemplate,
  type TemplateView,
} from './external-proxy.js';

const commandWithinMs = 5_000;
const answerWithinMs = 1_000;
/** How long a backend counts as used after an answer to a sample. */
const seenForMs = 500;
const pauseMinMs = 100;
/** A command that prints states runs for a small share of the time. */
const pausePerRun = 4;
const pauseMaxMs = 200;

export interface ExternalTools {
  readonly member: Pick<LabProcess, 'pid' | 'describe'>;
  readonly shell: RunShell;
  readonly signal: AbortSignal;
}

interface Backend {
  readonly name: string;
  readonly port: number;
  readonly spare: boolean;
}

/** Values of a template that are the same for each process of a proxy and each list of backends. */
export type TemplateSettings = Omit<
  TemplateView,
  'name' | 'host' | 'port' | 'admin-port' | 'run-dir' | 'secret' | 'root' | 'backends'
>;

/** One running external proxy, as faults and experiments use it. */
export class ExternalAdmin implements ProxyAdmin {
  readonly #external: ExternalProxy;
  readonly #place: ExternalPlace;
  readonly #settings: TemplateSettings;
  readonly #tools: () => ExternalTools;
  /** Backends in the order of the configuration. */
  #backends: readonly Backend[];
  readonly #known: readonly Backend[];
  /** When the drain of a backend began, by its name. A spare backend is kept out until it is set ready. */
  readonly #drainedSince = new Map<string, number>();
  readonly #lastSeen = new Map<string, number>();
  #asking: Promise<readonly ProxyBackend[]> | undefined;
  #nextAtMs = 0;

  constructor(
    external: ExternalProxy,
    place: ExternalPlace,
    settings: TemplateSettings,
    backends: readonly Backend[],
    tools: () => ExternalTools,
  ) {
    this.#external = external;
    this.#place = place;
    this.#settings = settings;
    this.#backends = backends;
    this.#known = backends;
    this.#tools = tools;
    for (const { name, spare } of backends) if (spare) this.#drainedSince.set(name, Number.NEGATIVE_INFINITY);
  }

  /** True when the states are found by requests, which take a share of the traffic. */
  get isSampled(): boolean {
    return this.#external.states === undefined;
  }

  /** Counts backends that no sample has reached as used: with such a proxy, requests cannot tell. */
  trustUnseen(): void {
    for (const { name, spare } of this.#backends)
      if (!spare && !this.#lastSeen.has(name)) this.#lastSeen.set(name, Number.POSITIVE_INFINITY);
  }

  /** Writes the configuration file. Does nothing for a proxy without a template. */
  async writeConfig(): Promise<void> {
    const { config } = this.#external;
    if (config === undefined) return;
    const { name, port, adminPort, runDirectory, secret } = this.#place;
    const backends = this.#backends.map(backend => {
      const draining = this.#drainedSince.has(backend.name);
      const id = Number(backend.name.replace(/\D/g, ''));
      return { ...backend, id, host: '127.0.0.1', draining, spare: backend.spare && draining };
    });
    const place = { name, host: '127.0.0.1', port, 'admin-port': adminPort, 'run-dir': runDirectory, secret };
    const view = { ...this.#settings, ...place, root: process.getuid?.() === 0, backends };
    // Some servers give up root before they read it.
    await writeFile(this.#place.config, renderTemplate(config, view), { mode: 0o644 });
  }

  async drain(backend: string): Promise<void> {
    if (!canDrain(this.#external)) throw new Error(`${this.#external.name} has neither set-drain nor reload`);
    this.#drainedSince.set(backend, performance.now());
    await this.#set(backend, this.#external.setDrain);
  }

  async ready(backend: string): Promise<void> {
    if (!this.#drainedSince.delete(backend)) return;
    await this.#set(backend, this.#external.setReady);
  }

  async #set(backend: string, command: string | undefined): Promise<void> {
    if (command === undefined) return this.reload();
    // A proxy that is started again must not forget it.
    await this.writeConfig();
    await this.#run(command, { backend });
  }

  /** Writes the configuration again and reloads it. `order`: the backends to list; default: as before. */
  async reload(order?: readonly string[]): Promise<void> {
    const { reload, name } = this.#external;
    if (reload === undefined) throw new Error(`${name} has no command that reloads it (reload)`);
    if (order !== undefined) this.#backends = this.#arrange(order);
    await this.writeConfig();
    await this.#run(reload);
  }

  #arrange(order: readonly string[]): readonly Backend[] {
    const listed = this.#known.filter(({ name }) => order.includes(name));
    return listed.toSorted((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
  }

  /** Returns the version that the proxy prints; undefined when it has no command for that. */
  async version(): Promise<string | undefined> {
    const { version } = this.#external;
    if (version === undefined) return undefined;
    const said = await this.#run(version);
    return /\d+(?:\.\d+)+[\w.+~-]*/.exec(said)?.[0] ?? said.split('\n')[0];
  }

  /** Asks for the states. Calls at the same time share one answer, and pauses lie between two questions. */
  backends(): Promise<readonly ProxyBackend[]> {
    this.#asking ??= this.#askPaced().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askPaced(): Promise<readonly ProxyBackend[]> {
    const { states } = this.#external;
    await sleep(Math.max(0, this.#nextAtMs - performance.now()));
    const beganMs = performance.now();
    try {
      return states === undefined ? await this.#sample() : this.#withDrains(await this.#askStates(states));
    } finally {
      const tookMs = performance.now() - beganMs;
      this.#nextAtMs =
        performance.now() + Math.max(pauseMinMs, states === undefined ? 0 : Math.min(pauseMaxMs, pausePerRun * tookMs));
    }
  }

  /** Rejects when the command prints no state: an empty list would look like no backend that is down. */
  async #askStates(command: string): Promise<readonly StateLine[]> {
    const { said, printed } = await this.#end(command);
    const states = readStates(printed);
    if (states.length > 0) return states;
    throw new LabError(
      `${this.#nameOf(command)} printed no state, expected a line such as "backend-1 ready 0". It printed: ${joinLines(said) || 'nothing'}`,
    );
  }

  /** Sends new visits through the proxy and notes which backends answer them. */
  async #sample(): Promise<readonly ProxyBackend[]> {
    const url = `http://127.0.0.1:${this.#place.port}${this.#settings['health.path']}`;
    const asked = this.#backends.flatMap(() => [url, url]);
    const named = await Promise.all(asked.map(nameBackend));
    const now = performance.now();
    for (const name of named) if (name !== undefined) this.#lastSeen.set(name, now);
    return this.#withDrains(
      this.#backends.map(({ name }) => {
        const seenMs = this.#lastSeen.get(name);
        const isUsed = seenMs !== undefined && now - seenMs < seenForMs;
        return { name, state: isUsed ? 'ready' : 'down', inFlight: 0 };
      }),
    );
  }

  /** Adds which backends are drained. A proxy that tells states, and calls a backend ready, does not drain it. */
  #withDrains(states: readonly StateLine[]): readonly ProxyBackend[] {
    const now = performance.now();
    return states.map(({ name, state, inFlight }) => {
      const isUsed = !this.isSampled && state === 'ready';
      const sinceMs = isUsed ? undefined : this.#drainedSince.get(name);
      const drained = sinceMs !== undefined && now - sinceMs >= Number(this.#settings['drain-ms']) && inFlight === 0;
      return { name, state: sinceMs === undefined ? state : 'draining', drained, inFlight, bound: 0 };
    });
  }

  async #run(command: string, more?: Readonly<Record<string, string>>): Promise<string> {
    return (await this.#end(command, more)).printed;
  }

  /** Runs a command. Rejects when it does not end with code 0 in time. */
  async #end(command: string, more: Readonly<Record<string, string>> = {}): Promise<ShellEnd> {
    const { member, shell, signal } = this.#tools();
    const values = { pid: String(member.pid ?? ''), ...more };
    const end = await shell(commandFor(this.#external, command, this.#place, values), commandWithinMs, signal);
    if (end.ok) return end;
    throw new LabError(`${this.#nameOf(command)} ${describeEnd(end)}`);
  }

  #nameOf(command: string): string {
    return `the command of ${this.#external.name} "${command}"`;
  }
}

/** Returns the backend that answers a new visit; undefined when there is no answer in time, or no name in it. */
async function nameBackend(url: string): Promise<string | undefined> {
  const answer = await ask('GET', url, answerWithinMs).catch(() => undefined);
  const name = answer?.headers['holdfast-backend'];
  return typeof name === 'string' ? name : undefined;
}

type StateLine = Pick<ProxyBackend, 'name' | 'state' | 'inFlight'>;

/** Reads lines such as `backend-1 ready 3`. Other lines are ignored. */
export function readStates(text: string): readonly StateLine[] {
  return text.split('\n').flatMap(line => {
    const [, name, state, inFlight = '0'] = /^(\S+)\s+(ready|draining|down|ejected)(?:\s+(\d+))?\s*$/.exec(line) ?? [];
    return name === undefined || !isState(state) ? [] : [{ name, state, inFlight: Number(inFlight) }];
  });
}

function isState(word: string | undefined): word is ProxyBackend['state'] {
  return word === 'ready' || word === 'draining' || word === 'down' || word === 'ejected';
}
