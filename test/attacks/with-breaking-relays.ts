import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { AttackBrowser, BrowserConnections } from '#src/attacks/tools/browser.js';
import type { Target } from '#src/attacks/tools/target.js';

/** A system behind relays, one for the proxy and one for each backend. After `breakOff` they answer only 503. */
interface Breaking {
  readonly target: Target;
  breakOff(): void;
}

export async function withBreakingRelays<T>(sound: Target, work: (breaking: Breaking) => Promise<T>): Promise<T> {
  let isBroken = false;
  const breakOff = () => {
    isBroken = true;
  };
  const connections = new BrowserConnections();
  const agent = new Agent({ keepAlive: true });
  const relay = (to: string) =>
    createServer((incoming, response) => (isBroken ? unavailable(response) : pass(agent, to, incoming, response)));
  const servers = [sound.proxyUrl, ...sound.backends.map(({ url }) => url)].map(relay);
  const [proxyUrl = '', ...urls] = await Promise.all(servers.map(urlOf));
  const backends = sound.backends.map(({ name }, index) => ({ name, url: urls[index] ?? '' }));
  const browser = (origin = proxyUrl) => new AttackBrowser(connections, origin);
  try {
    return await work({ target: { ...sound, proxyUrl, backends, browser }, breakOff });
  } finally {
    connections.close();
    agent.destroy();
    for (const server of servers) server.closeAllConnections();
    for (const server of servers) server.close();
  }
}

async function urlOf(server: ReturnType<typeof createServer>): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

function unavailable(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/json' }).end('{"error":"unreachable"}');
}

function pass(agent: Agent, to: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { method, headers, url } = incoming;
  const outgoing = request(`${to}${url}`, { method, headers, agent }, answer => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(response);
  });
  outgoing.once('error', () => response.destroy());
  incoming.pipe(outgoing);
}
