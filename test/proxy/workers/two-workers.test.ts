/** Tests `--workers 2` with real processes: two workers must behave like one proxy. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { until } from '../../commands/holdfast.js';
import { type Answer, ask, cookieOf, viewsOf } from '../ask.js';
import { startToy, type Toy } from '../toy-backend.js';
import { type Team, withWorkers, workersOf } from './with-workers.js';

/** Counts the open files, including the channel to the primary. */
async function descriptorsOf(pid: number): Promise<number> {
  const fds = await readdir(`/proc/${pid}/fd`);
  return fds.length;
}

/** A browser with a connection of its own. */
class Browser {
  readonly #proxy: Team;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cookie: string | undefined;

  constructor(proxy: Team) {
    this.#proxy = proxy;
  }

  async get(path = '/'): Promise<Answer> {
    const headers = this.cookie === undefined ? {} : { cookie: this.cookie };
    const answer = await ask(this.#proxy.url, path, { agent: this.#agent, headers });
    this.cookie = cookieOf(answer) ?? this.cookie;
    return answer;
  }

  /** Its connection is closed. */
  get closed(): boolean {
    const { sockets, freeSockets } = this.#agent;
    return Object.keys({ ...sockets, ...freeSockets }).length === 0;
  }

  /** Closes its connection; the next request opens another. */
  leave(): void {
    this.#agent.destroy();
  }
}

async function backendsOf({ admin }: Team): Promise<Record<string, { bound: number; state: string }>> {
  return Object.fromEntries((await viewsOf(admin)).map(each => [each.name, each]));
}

async function requestsCounted({ admin }: Team): Promise<number> {
  const { text } = await ask(admin, '/metrics');
  const counts = text.matchAll(/^holdfast_proxy_requests_total\{.*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

function command(proxy: Team, backend: string, body: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  return ask(proxy.admin, `/backends/${backend}`, { method: 'PUT', headers, body: JSON.stringify(body) });
}

/** Starts a backend process that the test kills. */
async function victimBackend(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const server = path.join(import.meta.dirname, '../counting-server.js');
  const process = fork(server, ['/dev/null', 'victim'], { execArgv: [] });
  const [{ port }] = await once(process, 'message');
  return { url: `http://127.0.0.1:${port}`, process };
}

describe('proxy: two workers', function () {
  this.timeout(60_000);
  const toys: Toy[] = [];
  let victim: Awaited<ReturnType<typeof victimBackend>>;
  let finishSlow = (): void => {};
  let proxy: Team;
  let stop = (): void => {};
  let ended: Promise<void>;
  /** One browser per connection, each bound, and the number of requests sent so far. */
  const browsers: Browser[] = [];
  let sent = 0;

  before(async () => {
    const slow = (response: ServerResponse) => {
      finishSlow = () => response.end('slow');
    };
    for (const name of ['backend-1', 'backend-2']) {
      const handle = ({ url }: IncomingMessage, response: ServerResponse) =>
        url === '/slow' ? slow(response) : response.end(name);
      toys.push(await startToy(name, handle));
    }
    victim = await victimBackend();
    const stopped = new Promise<void>(resolve => {
      stop = resolve;
    });
    await new Promise<void>((started, failed) => {
      const urls = [...toys.map(({ url }) => url.origin), victim.url];
      ended = withWorkers(urls, async running => {
        proxy = running;
        started();
        await stopped;
      });
      ended.catch(failed);
    });
  });

  after(async () => {
    for (const browser of browsers) browser.leave();
    stop();
    await ended;
    victim.process.kill('SIGKILL');
    await Promise.all(toys.map(toy => toy.stop()));
  });

  async function get(browser: Browser): Promise<Answer> {
    sent += 1;
    return browser.get();
  }

  it('accept cookies of each other, count a browser once, and count every request', async () => {
    for (let i = 0; i < 48; i += 1) browsers.push(new Browser(proxy));
    const homes = await Promise.all(browsers.map(async browser => (await get(browser)).text));
    for (let round = 0; round < 3; round += 1) {
      for (const browser of browsers) browser.leave();
      const answers = await Promise.all(browsers.map(get));
      expect(answers.map(({ text }) => text)).to.deep.equal(homes);
      expect(answers.flatMap(({ headers }) => headers['set-cookie'] ?? [])).to.deep.equal([]);
    }
    const backends = await backendsOf(proxy);
    for (const name of ['backend-1', 'backend-2', 'victim']) {
      const known = name === 'victim' ? 'backend-3' : name;
      expect(backends[known]?.bound, known).to.equal(homes.filter(home => home === name).length);
    }
    expect(await requestsCounted(proxy)).to.equal(sent);
  });

  it('follow the operator as one: a drain keeps bound browsers and takes no new ones at either', async () => {
    await command(proxy, 'backend-1', { state: 'drain' });
    const newcomers = Array.from({ length: 12 }, () => new Browser(proxy));
    const answers = await Promise.all(newcomers.map(get));
    expect(answers.map(({ text }) => text)).to.not.include('backend-1');
    for (const browser of newcomers) browser.leave();
    const { 'backend-1': before } = await backendsOf(proxy);
    const stayed = (await Promise.all(browsers.map(get))).filter(({ text }) => text === 'backend-1');
    expect(stayed.length).to.equal(before?.bound).and.to.be.greaterThan(0);
  });

  it('survive the kill of one: connections of the other stay, all browsers stay bound, and a new worker starts', async () => {
    await Promise.all(browsers.map(get));
    const counted = await requestsCounted(proxy);
    const [one = 0, other = 0] = await workersOf(proxy);
    process.kill(one, 'SIGKILL');
    await proxy.holdfast.sees(`worker ${one} ended (SIGKILL), and what it had in flight is lost; worker `);
    // The system closes a process's connections before it reports its end. This call lets the test process notice all
    // of them.
    await backendsOf(proxy);
    const broken = browsers.filter(({ closed }) => closed).length;
    // Connections are dealt out in turn, so each worker had its share.
    expect(broken).to.be.within(2, browsers.length - 2);
    const homes = await Promise.all(browsers.map(get));
    expect(homes.flatMap(({ headers }) => headers['set-cookie'] ?? [])).to.deep.equal([]);
    expect(await requestsCounted(proxy)).to.be.at.least(counted);

    const [, heir = 0] = (await workersOf(proxy)).sort((a, b) => Number(a !== other) - Number(b !== other));
    const asleep = await descriptorsOf(heir);
    const newcomers: Browser[] = [];
    await until(
      async () => {
        const newcomer = new Browser(proxy);
        newcomers.push(newcomer);
        expect((await get(newcomer)).text).to.not.equal('backend-1');
        return (await descriptorsOf(heir)) >= asleep + 4;
      },
      15_000,
      () => 'the new worker has connections of its own',
    );
    for (const newcomer of newcomers) newcomer.leave();
  });

  it('answer every GET with 200 when a backend is killed', async () => {
    await command(proxy, 'backend-1', { state: 'ready' });
    const statuses = new Map<number, number>();
    let over = false;
    const client = async (): Promise<void> => {
      const browser = new Browser(proxy);
      while (!over) {
        const { status } = await browser.get();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        await turn();
      }
      browser.leave();
    };
    const clients = Array.from({ length: 16 }, client);
    await until(
      () => (statuses.get(200) ?? 0) > 200,
      15_000,
      () => 'load',
    );
    victim.process.kill('SIGKILL');
    await proxy.holdfast.sees(/backend-3: ready -> down/);
    over = true;
    await Promise.all(clients);
    expect([...statuses.keys()]).to.deep.equal([200]);
    const { text } = await ask(proxy.admin, '/metrics');
    const retries = [...text.matchAll(/^holdfast_proxy_retries_total\{.*\} (\d+)$/gm)];
    expect(retries.reduce((sum, [, count]) => sum + Number(count), 0)).to.be.greaterThan(0);
  });

  it('exit on SIGTERM after answering the requests in flight', async () => {
    const browser = new Browser(proxy);
    const slow = browser.get('/slow');
    await until(
      () => toys.some(({ seen }) => seen.some(({ url }) => url === '/slow')),
      5000,
      () => '/slow at a backend',
    );
    proxy.holdfast.child.kill('SIGTERM');
    await proxy.holdfast.sees(/closing; 1 in flight/);
    finishSlow();
    expect((await slow).text).to.equal('slow');
    expect(await proxy.holdfast.ended(), proxy.holdfast.output.stderr).to.equal(0);
    expect(await proxy.holdfast.children()).to.deep.equal([]);
  });
});
