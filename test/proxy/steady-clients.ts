import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { type Asked, ask } from './ask.js';
import { type Toy, withToys } from './toy-backend.js';

/** Runs six backends, of which two serve at a time. */
export function withSix(use: (toys: readonly Toy[]) => Promise<void>): Promise<void> {
  return withToys(Array(6).fill(slowly), (...toys) => {
    toys.forEach(echoUpgrades);
    return use(toys);
  });
}

/**
 * Replaces the two backends of the proxy three times: with the next two, the last two, and the first two again.
 * Meanwhile a download, a tunnel, one connection with many requests, and short connections all go on.
 */
export async function exchangeUnder(
  url: string,
  toys: readonly Toy[],
  exchange: (pair: readonly Toy[], nth: number) => Promise<void>,
): Promise<void> {
  const download = new Promise<Buffer>((resolve, reject) => {
    get(`${url}/slow`, answer => buffer(answer).then(resolve, reject)).on('error', reject);
  });
  const tunnel = await openTunnel(url);
  const one = new OneConnection();
  const load = new Load(url);
  const loading = Promise.all([load.run({ agent: one }), load.run({}), load.run({ method: 'POST', body: 'x' })]);
  for (const [nth, at] of [2, 4, 0].entries()) {
    const pair = toys.slice(at, at + 2);
    await exchange(pair, nth);
    expect([...(await load.serversFromNowOn(2))]).to.have.members(pair.map(({ name }) => name));
    expect(await tunnel.echo(`after ${at}`)).to.equal(`after ${at}`);
  }
  load.on = false;
  await loading;
  for (const response of slow) response.end('...end');
  expect((await download).toString()).to.equal('begin...end');
  expect([...load.statuses]).to.deep.equal([200]);
  expect(one.opened).to.equal(1);
  one.destroy();
  tunnel.close();
}

/** Answers with the backend's name. `/slow` begins, and ends when the test says so. */
function slowly(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  if (request.url !== '/slow') return void response.end(nameOf(response));
  response.write('begin');
  slow.add(response);
}
const slow = new Set<ServerResponse>();

function nameOf(response: ServerResponse): string {
  return String(response.getHeader('holdfast-incarnation')).replace(/-boot-.*/, '');
}

class Load {
  on = true;
  readonly statuses = new Set<number>();
  readonly #url: string;
  /** The backends that answered requests sent since this set was made. */
  #servers = new Set<string>();

  constructor(url: string) {
    this.#url = url;
  }

  async run(asked: Asked): Promise<void> {
    while (this.on) {
      const servers = this.#servers;
      const { status, text } = await ask(this.#url, '/', asked);
      this.statuses.add(status);
      servers.add(text);
    }
  }

  async serversFromNowOn(least: number): Promise<ReadonlySet<string>> {
    const servers = new Set<string>();
    this.#servers = servers;
    while (servers.size < least) await setImmediate();
    return servers;
  }
}

class OneConnection extends Agent {
  opened = 0;

  constructor() {
    super({ keepAlive: true, maxSockets: 1 });
  }

  override createConnection(...given: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    this.opened += 1;
    return super.createConnection(...given);
  }
}

function echoUpgrades(toy: Toy): void {
  toy.server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    socket.on('error', () => {});
    socket.pipe(socket);
  });
}

async function openTunnel(url: string): Promise<{ echo(text: string): Promise<string>; close(): void }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const head = 'GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
  const say = async (text: string) => {
    socket.write(text);
    const [chunk] = await once(socket, 'data');
    return String(chunk);
  };
  expect(await say(head)).to.match(/^HTTP\/1\.1 101 /);
  return { echo: say, close: () => socket.destroy() };
}
