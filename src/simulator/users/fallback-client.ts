import type { HttpClient, Reply } from './http-client.js';
import type { JourneyRequest } from './shop-requests.js';

type Client = Pick<HttpClient, 'send'>;

/** One address of the host, and the name of the proxy behind it. */
export interface NamedClient {
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

  async send(request: JourneyRequest, cookie: string | undefined): Promise<Reply> {
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

async function sendBy({ proxy, client }: NamedClient, ...sent: Parameters<Client['send']>): Promise<Reply> {
  const reply = await client.send(...sent);
  return reply.handedOver ? { ...reply, proxy } : reply;
}
