import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { podPort } from './kubelet.js';
import type { ObjectStore } from './object-store.js';
import { isReady } from './objects.js';

interface Endpoint {
  readonly name: string;
  readonly address: string;
}

/**
 * The ingress before the service. It sends each request to the next endpoint, and does not try another one.
 * It learns each change of the endpoints `lagMs` late, as in a real cluster. Until then it sends requests to a pod that
 * is gone, and answers them 502.
 */
export class Service {
  readonly server: Server;
  /** How late the ingress learns a change of the endpoints. */
  lagMs = 0;
  readonly #bindsByCookie: boolean;
  #endpoints: readonly Endpoint[] = [];
  #next = 0;
  readonly #timers = new Set<NodeJS.Timeout>();

  /** `bindsByCookie`: a cookie keeps a user at its pod, as the affinity "cookie" of an ingress. */
  constructor(store: ObjectStore, bindsByCookie: boolean) {
    this.#bindsByCookie = bindsByCookie;
    this.server = createServer((incoming, outgoing) => this.#forward(incoming, outgoing));
    store.watch(store.version, ({ resource }) => {
      if (resource === 'pods') this.#learn(endpointsIn(store));
    });
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.server.closeAllConnections();
    this.server.close();
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  #learn(endpoints: readonly Endpoint[]): void {
    if (this.lagMs === 0) {
      this.#endpoints = endpoints;
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#endpoints = endpoints;
    }, this.lagMs);
    this.#timers.add(timer);
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const bound = this.#bindsByCookie
      ? /(?:^|;\s*)INGRESS=([^;]*)/.exec(incoming.headers.cookie ?? '')?.[1]
      : undefined;
    const endpoint = this.#endpoints.find(({ name }) => name === bound) ?? this.#choose();
    if (endpoint === undefined) return void outgoing.writeHead(503).end();
    const { method, url, headers } = incoming;
    const target = { host: endpoint.address, port: podPort, method, path: url, headers, agent: false };
    const onward = request(target, answer => {
      const cookies = answer.headers['set-cookie'] ?? [];
      const isNew = this.#bindsByCookie && bound !== endpoint.name;
      const set = isNew ? [...cookies, `INGRESS=${endpoint.name}; Path=/; HttpOnly`] : cookies;
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'set-cookie': set });
      answer.pipe(outgoing);
      answer.once('error', () => outgoing.destroy());
    });
    onward.once('error', () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  }

  #choose(): Endpoint | undefined {
    this.#next += 1;
    return this.#endpoints[this.#next % this.#endpoints.length];
  }
}

function endpointsIn(store: ObjectStore): readonly Endpoint[] {
  return store.list('pods').flatMap(pod => {
    const { podIP } = pod.status;
    return isReady(pod) && podIP !== undefined ? [{ name: pod.metadata.name, address: podIP }] : [];
  });
}
