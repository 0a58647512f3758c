import { type BackendNaming, backendNaming, type ProxyAddress } from '../cluster/cluster.js';
import type { LabRecord, Operation } from '../history/records.js';
import { stepsMax } from '../plan/plan.js';
import { tokenOf, type UserScript } from '../plan/planned-user.js';
import type { RunClock } from '../run/run-clock.js';
import { HttpClient } from './http-client.js';
import type { AppReply, Journey, JourneyRequest } from './journey.js';
import { User, type UserWorld } from './user.js';

/** How many users read back at the same time. */
const readBackAtOnce = 64;

export interface DriverOptions {
  /** The users that come by themselves. More can be added while the driver runs. */
  readonly plan: { readonly users: readonly UserScript[] };
  /** Addresses of the system. Several are addresses of one host, and the users are spread over them. Loopback only:
   * `LabError` otherwise. */
  readonly proxies: readonly ProxyAddress[];
  /** Part of the name of every added item (`tokenOf`). Absent: the items have the names of the plan. */
  readonly nonce?: string;
  readonly timeoutMs: number;
  /** How long an ended session may still be accepted. Old cookies are tried only after this time. */
  readonly revocationLagMs: number;
  readonly replayEveryMs?: number | undefined;
  readonly browserCookie?: string | undefined;
  readonly journey: Journey;
  /** How an answer names its backend. Default: the header of the toy shop. */
  readonly naming?: BackendNaming;
  readonly clock: RunClock;
  /** Called right before an operation is sent. */
  onSent?(user: string, atMs: number): void;
  /** Called exactly once for each operation that was sent, when it has ended. */
  onOperation(operation: Operation): void;
}

/**
 * Drives the simulated users as an open loop: they arrive when the plan says so, whatever the servers do. A user sends
 * its next request only after its own earlier one has ended. Steps that become too late are dropped and counted.
 */
export class Driver {
  readonly #options: DriverOptions;
  readonly #world: UserWorld;
  readonly #users = new Map<string, User>();
  readonly #clients: readonly HttpClient[];
  readonly #lagsMs: number[] = [];
  #operations = 0;
  readonly #droppedMs: number[] = [];
  readonly #droppedWaitMs: number[] = [];
  #closed = false;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#clients = options.proxies.map(({ url }) => new HttpClient(url, options.timeoutMs));
    this.#world = this.#makeWorld();
    for (const { name } of options.plan.users) this.#create(name);
  }

  /** Executes the plan. Resolves when every step is done or dropped, or soon after `close`. */
  async run(): Promise<void> {
    await Promise.all(this.#options.plan.users.map(({ name, steps }) => this.#users.get(name)?.doSteps(steps)));
  }

  /**
   * Adds a user that begins at once. A user that has left comes back with its browser, and does the new steps. Resolves
   * when every step is done or dropped, or when the user has left.
   */
  async add({ name, steps }: UserScript): Promise<void> {
    await (this.#users.get(name) ?? this.#create(name)).doSteps(steps);
  }

  /** Lets a user leave: it waits for its open requests, reads its cart back, and does no further step. */
  async leave(name: string): Promise<void> {
    await this.#users.get(name)?.leave();
  }

  /** Lets every user that believes it is logged in read its cart. Call it after `run`. */
  async readBack(): Promise<void> {
    const waiting = this.#users.values();
    const readAll = async (): Promise<void> => {
      for (const user of waiting) if (!this.#closed) await user.readBack();
    };
    await Promise.all(Array.from({ length: readBackAtOnce }, readAll));
  }

  lab(): LabRecord {
    const sorted = Float64Array.from(this.#lagsMs).sort();
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    const lagMs = { p50: at(0.5), p99: at(0.99), max: at(1) };
    const [droppedMs, droppedWaitMs] = [[...this.#droppedMs], [...this.#droppedWaitMs]];
    return { type: 'lab', lagMs, dropped: droppedMs.length, droppedMs, droppedWaitMs };
  }

  /** Stops all users, aborts requests in flight and closes the clock. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#options.clock.close();
    await Promise.all(this.#clients.map(client => client.close()));
  }

  #create(name: string): User {
    const named = this.#clients.map((client, index) => ({ client, proxy: this.#options.proxies[index]?.name ?? '' }));
    const user = new User(name, this.#world, chooseClient(named, this.#users.size));
    this.#users.set(name, user);
    return user;
  }

  #makeWorld(): UserWorld {
    const { proxies, nonce, timeoutMs, revocationLagMs, replayEveryMs, browserCookie, journey, clock } = this.#options;
    const { naming = backendNaming } = this.#options;
    const { onSent = () => undefined, onOperation } = this.#options;
    return {
      origin: proxies[0]?.url ?? '',
      timeoutMs,
      revocationLagMs,
      replayEveryMs,
      naming,
      browserCookie,
      journey,
      clock,
      tokenOf: planned => (nonce === undefined ? planned : tokenOf(planned, nonce)),
      isOver: () => this.#closed,
      nextId: () => ++this.#operations,
      onSent,
      onOperation,
      onLag: ms => keep(ms, this.#lagsMs),
      onDropped: (plannedMs, waitMs) => {
        keep(plannedMs, this.#droppedMs);
        keep(waitMs, this.#droppedWaitMs);
      },
    };
  }
}

/** Adds a value to a list. Only a run without a planned end can reach the limit. It then drops the oldest values. */
function keep(value: number, list: number[]): void {
  if (list.length >= 2 * stepsMax) list.splice(0, stepsMax);
  list.push(value);
}

type Client = Pick<HttpClient, 'send'>;

/** One address of the host, and the name of the proxy behind it. */
interface NamedClient {
  readonly proxy: string;
  readonly client: Client;
}

/** Returns the client of one user. Users begin with the addresses in turn. A single address needs no fallback. */
export function chooseClient(clients: readonly NamedClient[], index: number): Client {
  const at = index % clients.length;
  const [first, ...others] = [...clients.slice(at), ...clients.slice(0, at)];
  if (first === undefined) throw new Error('there is no address to send to');
  return others.length === 0 ? first.client : new FallbackClient([first, ...others]);
}

/**
 * Acts as a browser does with several addresses of one host (RFC 8305). If an address accepts no connection, it tries
 * the next one, and stays with the one that accepts. Nothing has been sent by then; a request that was sent is never
 * sent again. A reply names the proxy that took the request.
 */
class FallbackClient implements Client {
  readonly #clients: readonly [NamedClient, ...NamedClient[]];
  #current: NamedClient;

  constructor(clients: readonly [NamedClient, ...NamedClient[]]) {
    this.#clients = clients;
    this.#current = clients[0];
  }

  async send(request: JourneyRequest, cookie: string | undefined): Promise<AppReply> {
    const first = this.#current;
    let reply = await sendThrough(first, request, cookie);
    for (const next of this.#clients) {
      if (reply.handedOver || reply.error === 'timeout') break;
      if (next === first) continue;
      reply = await sendThrough(next, request, cookie);
      if (reply.handedOver) this.#current = next;
    }
    return reply;
  }
}

async function sendThrough({ proxy, client }: NamedClient, ...sent: Parameters<Client['send']>): Promise<AppReply> {
  const reply = await client.send(...sent);
  return reply.handedOver ? { ...reply, proxy } : reply;
}
