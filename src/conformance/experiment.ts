import { readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ClusterMember, StrikeVerb } from '../simulator/cluster/cluster.js';
import { canDrain, type ExternalProxy } from '../simulator/cluster/external/external-proxy.js';
import { waitUntil } from '../simulator/cluster/probe.js';
import { backendIn, NoMeans, Unestablished, WithoutEffect, witnessOf } from './cell.js';
import { type CarriedOut, type Method, type RawExchange, RawUser, type Recording, sendRaw } from './exchange.js';

/** Longer than three tries of one second each, after which HAProxy gives up by default. */
const answerWithinMs = 8_000;
const waitingAnswerMs = 2_000;
const noticedWithinMs = 15_000;
const backWithinMs = 25_000;
const confirmWithinMs = 5_000;
const usersMax = 80;
/** Chance alone lets so many new users miss one of three backends once in 15,000 times. */
const provingUsers = 24;
const boundWithin = 6;
/** Longer than the time between two health checks. */
const checkWithinMs = 1_500;

interface VisitOptions {
  readonly path?: string;
  /** Which proxy, from 0. */
  readonly proxy?: number;
  readonly withinMs?: number;
}

/** The means of one experiment: users, and what can be done to the system. It records every exchange. */
export class Experiment {
  readonly #cluster: Cluster;
  readonly #proxy: ExternalProxy;
  readonly #logBase: string;
  readonly #exchanges: RawExchange[] = [];
  readonly method: Method;
  #users = 0;

  constructor(cluster: Cluster, proxy: ExternalProxy, logBase: string, method: Method) {
    this.#cluster = cluster;
    this.#proxy = proxy;
    this.#logBase = logBase;
    this.method = method;
  }

  newUser(): RawUser {
    this.#users += 1;
    return new RawUser(`user-${this.#users}`);
  }

  get backends(): readonly string[] {
    return this.#cluster.members.filter(({ role }) => role === 'backend').map(({ name }) => name);
  }

  get proxies(): readonly ClusterMember[] {
    return this.#cluster.members.filter(({ role }) => role === 'proxy');
  }

  async log(): Promise<CarriedOut[]> {
    return readLogs(this.#logBase, this.backends);
  }

  async observe(): Promise<Recording> {
    return { exchanges: this.#exchanges, log: await this.log() };
  }

  /** Sends one request of the user, and takes the cookies of the answer. */
  async visit(user: RawUser, phase: string, options: VisitOptions = {}): Promise<RawExchange> {
    const { path = '/visit', proxy = 0, withinMs = answerWithinMs } = options;
    const member = this.proxies[proxy];
    if (member === undefined) throw new Unestablished(`there is no proxy ${proxy + 1}`);
    const id = `${phase.replaceAll(' ', '-')}-${this.#exchanges.length + 1}`;
    const place = this.#exchanges.length;
    const request = this.#requestLines(user, path, id, member.port);
    const begun: RawExchange = { id, user: user.name, phase, method: this.method, to: member.name, request };
    // Exchanges are listed in the order in which they began, because requests of one phase can overlap.
    this.#exchanges.push(begun);
    const exchange = { ...begun, ...(await sendRaw(member.port, request.join('\r\n'), withinMs)) };
    this.#exchanges[place] = exchange;
    if (exchange.answer !== undefined) user.take(exchange.answer.head);
    return exchange;
  }

  #requestLines(user: RawUser, path: string, id: string, port: number): string[] {
    const body = this.method === 'POST' ? `item=${id}` : '';
    const form =
      this.method === 'POST'
        ? ['content-type: application/x-www-form-urlencoded', `content-length: ${body.length}`]
        : [];
    const cookie = user.header === undefined ? [] : [`cookie: ${user.header}`];
    return [
      `${this.method} ${path} HTTP/1.1`,
      `host: 127.0.0.1:${port}`,
      `x-exchange: ${id}`,
      ...cookie,
      ...form,
      '',
      body,
    ];
  }

  /**
   * Lets a new user come until two answers in a row are from the same process, and returns the user. Some proxies bind
   * a user late. Gives up after some visits, because others never do.
   */
  async bindUser(): Promise<RawUser> {
    const user = this.newUser();
    let last: string | undefined;
    for (let visits = 0; visits < boundWithin; visits += 1) {
      const answering = witnessOf(await this.visit(user, 'before'));
      if (answering !== undefined && answering === last) break;
      last = answering;
    }
    return user;
  }

  /** Returns the backend of the last answer that the user got. */
  backendOf(user: RawUser): string {
    const last = this.#exchanges.findLast(exchange => exchange.user === user.name);
    const answering = last && witnessOf(last);
    if (answering === undefined) throw new Unestablished(`${user.name} was not answered by a backend`);
    return backendIn(answering);
  }

  /** Lets new users come until `count` of them are with the same backend. */
  async bindUsers(count: number): Promise<{ readonly backend: string; readonly users: readonly RawUser[] }> {
    const byBackend = new Map<string, RawUser[]>();
    for (let tries = 0; tries < usersMax; tries += 1) {
      const user = await this.bindUser();
      const backend = this.backendOf(user);
      const users = [...(byBackend.get(backend) ?? []), user];
      byBackend.set(backend, users);
      if (users.length === count) return { backend, users };
    }
    throw new Unestablished(`of ${usersMax} users no ${count} came to the same backend`);
  }

  /** Lets all of them visit at the same time. */
  async visitAll(users: readonly RawUser[], phase: string, options?: VisitOptions): Promise<void> {
    await Promise.all(users.map(user => this.visit(user, phase, options)));
  }

  /** Waits until this backend has carried the request out. */
  async waitCarriedOut(path: string, backend: string): Promise<void> {
    const isThere = async () => (await this.log()).some(line => line.url === path && line.backend === backend);
    if (!(await waitUntil(isThere, confirmWithinMs))) throw new Unestablished(`${path} did not reach ${backend}`);
  }

  /** Waits for the next health check of a backend, if the proxy has checks: then none comes for a second. */
  async waitChecked(backend: string): Promise<void> {
    const before = await countChecks(this.#logBase, backend);
    await waitUntil(async () => (await countChecks(this.#logBase, backend)) > before, checkWithinMs);
  }

  /** Ends a backend at once, and confirms that its port refuses connections. */
  kill(backend: string): Promise<void> {
    return this.#strike(backend, 'kill');
  }

  /** Freezes a backend: it accepts connections and answers nothing. */
  hang(backend: string): Promise<void> {
    return this.#strike(backend, 'hang');
  }

  /** Ends a backend in order, as a deploy does. */
  stop(backend: string): Promise<void> {
    return this.#strike(backend, 'stop');
  }

  async #strike(backend: string, verb: StrikeVerb): Promise<void> {
    const member = this.#cluster.member(backend);
    await member[verb]();
    if ((await member.confirm(verb)) === false) throw new Unestablished(`${backend}: its ${verb} was not confirmed`);
  }

  /** Starts a backend that is not running. It is another process, with an empty memory. */
  async start(name: string): Promise<void> {
    await this.#cluster.member(name).start();
  }

  /** Lets a frozen backend go on, and waits until it has read what had been sent to it meanwhile. */
  async resume(backend: string): Promise<void> {
    const member = this.#cluster.member(backend);
    await member.resume();
    // The backend takes connections in order: when the second probe is answered, the requests that waited have been too.
    for (const probe of ['first', 'second'])
      if (!(await waitUntil(() => member.answers(1_000), confirmWithinMs)))
        throw new Unestablished(`${backend} did not answer the ${probe} probe after it was resumed`);
  }

  /** Waits until a user of the broken backend is answered again: the proxy has noticed. Returns false when it never
   * does. */
  async waitNoticed(user: RawUser): Promise<boolean> {
    return waitUntil(async () => {
      const { failure, answer } = await this.visit(user, 'waiting', { withinMs: waitingAnswerMs });
      return failure === undefined && answer !== undefined && answer.status < 400;
    }, noticedWithinMs);
  }

  /** Waits until a new user comes to the backend: the proxy uses it again. */
  async waitUsed(backend: string): Promise<void> {
    const isUsed = async () => {
      const exchange = await this.visit(this.newUser(), 'waiting', { withinMs: waitingAnswerMs });
      return witnessOf(exchange)?.startsWith(`${backend}#`) === true;
    };
    if (!(await waitUntil(isUsed, backWithinMs)))
      throw new Unestablished(`the proxy sent no new user to ${backend} within ${backWithinMs / 1000} s`);
  }

  /** Waits until no new user comes to the backend in `inTurn` visits in a row. */
  async waitUnused(backend: string, inTurn: number): Promise<void> {
    let unused = 0;
    const isUnused = async () => {
      const exchange = await this.visit(this.newUser(), 'waiting', { withinMs: waitingAnswerMs });
      unused = witnessOf(exchange)?.startsWith(`${backend}#`) === false ? unused + 1 : 0;
      return unused >= inTurn;
    };
    if (!(await waitUntil(isUnused, noticedWithinMs)))
      throw new Unestablished(`new users still came to ${backend} after ${noticedWithinMs / 1000} s`);
  }

  /** Keeps new users away from a backend, by the proxy's own means. */
  async drain(backend: string): Promise<void> {
    if (!canDrain(this.#proxy))
      throw new NoMeans('it has neither a command nor a reload by which a backend is drained');
    await this.#cluster.proxyAdmin.drain(backend);
  }

  /** Tells the proxy of a backend that has just been started, where it must be told. */
  async admit(backend: string): Promise<void> {
    if (this.#proxy.setReady === undefined && this.#proxy.reload === undefined)
      throw new NoMeans('it has neither a command nor a reload by which a backend is added');
    await this.#cluster.proxyAdmin.ready(backend);
  }

  /** Makes the proxies read their configuration again. `order`: the backends to list, in this order. */
  async reload(order?: readonly string[]): Promise<void> {
    const { reload } = this.#cluster.proxyAdmin;
    if (this.#proxy.reload === undefined || reload === undefined)
      throw new NoMeans('it has no command that reloads its configuration');
    if (order !== undefined && this.#proxy.config === undefined)
      throw new NoMeans('it has no template, so its pool cannot be listed in another order');
    await reload.call(this.#cluster.proxyAdmin, order);
  }

  /** Confirms that a reload takes effect: after one without the backend of this user, no new user comes to it. Rejects
   * with `WithoutEffect` otherwise: what was seen after the other reloads then shows nothing. */
  async proveReload([user]: readonly RawUser[]): Promise<void> {
    if (user === undefined || this.#proxy.config === undefined)
      throw new WithoutEffect('a reload cannot be confirmed: the proxy has no template with a list of backends');
    const left = this.backendOf(user);
    await this.reload(this.backends.filter(backend => backend !== left));
    await this.waitUnused(left, provingUsers).catch(() => {
      throw new WithoutEffect(`a reload had no effect: its list lacks ${left}, and new users still came to it`);
    });
  }

  /** Ends a proxy in order and starts it again with the same configuration. */
  async restartProxy(): Promise<void> {
    const [proxy] = this.proxies;
    if (proxy === undefined) throw new Unestablished('there is no proxy');
    await proxy.stop();
    if (!(await proxy.waitEnd(confirmWithinMs))) throw new Unestablished('the proxy did not end at SIGTERM');
    await proxy.start();
  }

  /** Waits for a lifetime to pass. Never use it to wait for a state. */
  async waitMs(ms: number): Promise<void> {
    await sleep(ms);
  }
}

/** Reads the logs of the backends. A backend that has carried out nothing has no file. */
async function readLogs(base: string, backends: readonly string[]): Promise<CarriedOut[]> {
  const texts = await Promise.all(backends.map(name => readFile(`${base}.${name}`, 'utf8').catch(() => '')));
  return texts.flatMap(text => text.split('\n').flatMap(parseLine));
}

/** A process that is killed while it writes can leave half a line. */
function parseLine(line: string): CarriedOut[] {
  if (!line.endsWith('}')) return [];
  const { id, backend, boot, method, url, memory, rawHeaders, cookies } = JSON.parse(line);
  return [{ id, backend, boot, method, url, memory, rawHeaders, cookies }];
}

/** Returns how often a backend was asked for its health. */
async function countChecks(base: string, backend: string): Promise<number> {
  const file = await stat(`${base}.${backend}.checks`).catch(() => undefined);
  return file?.size ?? 0;
}
