import type { LabRecord, Operation } from '../history/records.js';
import { tokenOf } from '../history/token-names.js';
import type { Plan } from '../plan/plan.js';
import type { RunClock } from '../run/run-clock.js';
import { HttpClient } from './http-client.js';
import type { AppReply, Journey, JourneyRequest } from './journey.js';
import { User, type UserWorld } from './user.js';

/** Users that read back at the same time. */
const readBackAtOnce = 64;

export interface DriverOptions {
  readonly plan: Plan;
  /** Where the users go, for example `http://127.0.0.1:41234`; several are the addresses of one host, over which they are
   * spread. Loopback only: `LabError` otherwise. */
  readonly origins: readonly string[];
  /** The names of the proxies at these addresses, in their order. */
  readonly proxies?: readonly string[];
  /** Part of every item that is put into a cart (`tokens.ts`). Absent: the items are those of the plan. */
  readonly nonce?: string;
  readonly timeoutMs: number;
  /** An ended session may be honoured elsewhere for so long: old cookies are tried no earlier. */
  readonly revocationLagMs: number;
  readonly journey: Journey;
  readonly clock: RunClock;
  /** Exactly once for each operation that was sent, when it has ended. */
  onOperation(operation: Operation): void;
}

/**
 * The simulated users, open loop: they come when the plan says so, whatever the servers do. Only the user's own request
 * that is still open holds back its next one; what this makes too late is dropped and counted.
 */
export class Driver {
  readonly #options: DriverOptions;
  readonly #users: readonly User[];
  readonly #clients: readonly HttpClient[];
  readonly #lagsMs: number[] = [];
  #operations = 0;
  readonly #droppedMs: number[] = [];
  readonly #droppedWaitMs: number[] = [];
  #closed = false;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#clients = options.origins.map(origin => new HttpClient(origin, options.timeoutMs));
    const world = this.#world();
    const named = this.#clients.map((client, index) => ({ client, proxy: options.proxies?.[index] ?? 'proxy' }));
    this.#users = options.plan.users.map((user, index) => new User(user, world, clientFrom(named, index)));
  }

  /** Lives the plan; resolves when every step of it is done or dropped, or soon after `close`. */
  async run(): Promise<void> {
    await Promise.all(this.#users.map(user => user.live()));
  }

  /** Every user that is logged in, as far as it knows, reads its cart. Call it after `run`. */
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

  /** Users do nothing more, what is in flight is broken off, the clock is closed. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#options.clock.close();
    await Promise.all(this.#clients.map(client => client.close()));
  }

  #world(): UserWorld {
    const { origins, nonce, timeoutMs, revocationLagMs, journey, clock, onOperation } = this.#options;
    return {
      origin: origins[0] ?? '',
      timeoutMs,
      revocationLagMs,
      journey,
      clock,
      tokenOf: planned => (nonce === undefined ? planned : tokenOf(planned, nonce)),
      isOver: () => this.#closed,
      nextId: () => ++this.#operations,
      onOperation,
      onLag: ms => this.#lagsMs.push(ms),
      onDropped: (plannedMs, waitMs) => {
        this.#droppedMs.push(plannedMs);
        this.#droppedWaitMs.push(waitMs);
      },
    };
  }
}

type Client = Pick<HttpClient, 'send'>;

/** One address of the host, and the name of the proxy behind it. */
interface NamedClient {
  readonly proxy: string;
  readonly client: Client;
}

/** Returns the client of one user: users begin with different addresses in turn. One address needs no fallback. */
export function clientFrom(clients: readonly NamedClient[], index: number): Client {
  const at = index % clients.length;
  const [first, ...others] = [...clients.slice(at), ...clients.slice(0, at)];
  if (first === undefined) throw new Error('there is no address to send to');
  return others.length === 0 ? first.client : new FallbackClient([first, ...others]);
}

/**
 * Does as a browser with several addresses of one host (RFC 8305): when one takes no connection it goes on with the next,
 * and stays there. Nothing has been sent then, so it is still the same request; what was sent is never sent again. A reply
 * names the proxy that took the request.
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
    let reply = await sendBy(first, request, cookie);
    for (const next of this.#clients) {
      if (reply.handedOver || reply.error === 'timeout') break;
      if (next === first) continue;
      reply = await sendBy(next, request, cookie);
      if (reply.handedOver) this.#current = next;
    }
    return reply;
  }
}

async function sendBy({ proxy, client }: NamedClient, ...sent: Parameters<Client['send']>): Promise<AppReply> {
  const reply = await client.send(...sent);
  return reply.handedOver ? { ...reply, proxy } : reply;
}
