/** Tests what a successor gets beside the port for traffic: other listeners, and the bindings that were learnt. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { Agent, type RequestListener, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { ask } from '../../proxy/ask.js';
import { withToys } from '../../proxy/toy-backend.js';
import { until, withHoldfast } from '../holdfast.js';
import { adminOf, exitCodeOf, restart, urlOf } from './restarting.js';

/** Sends one request to a server at a port or a Unix socket. Rejects when the answer does not end in order. */
async function get(where: { host: string; port: number } | { socketPath: string }, url: string, agent: Agent) {
  const asked = request({ ...where, path: url, agent });
  asked.end();
  const [answer] = await once(asked, 'response');
  return { status: answer.statusCode, text: await text(answer) };
}

/** Asks again and again, on one connection and on new ones in turn, and collects everything but a 200. */
class Watcher {
  readonly problems: string[] = [];
  asked = 0;
  readonly #agents = [new Agent({ keepAlive: true, maxSockets: 1 }), new Agent()];
  readonly #where: Parameters<typeof get>[0];
  readonly #url: string;

  constructor(where: Parameters<typeof get>[0], url: string) {
    this.#where = where;
    this.#url = url;
  }

  async run(isOver: () => boolean): Promise<void> {
    for (let nth = 0; !isOver(); nth += 1) {
      const agent = this.#agents[nth % 2] ?? new Agent();
      const answer = await get(this.#where, this.#url, agent).catch(error => ({ status: 0, text: String(error) }));
      if (answer.status !== 200)
        this.problems.push(`${JSON.stringify(this.#where)}, connection ${nth % 2}: ${answer.status} ${answer.text}`);
      this.asked += 1;
    }
    for (const agent of this.#agents) agent.destroy();
  }
}

/** An app with sessions in its memory. `/slow-login` is answered when `release` is called. */
function makeApp(): { handle: RequestListener; release: () => void; waiting: () => number } {
  const sessions = new Set<string>();
  const held: (() => void)[] = [];
  const handle: RequestListener = ({ url = '', headers }, response) => {
    const token = /\bsid=([^;]*)/.exec(headers.cookie ?? '')?.[1] ?? '';
    const answer = (): void => {
      if (url.endsWith('login')) {
        const made = randomUUID();
        sessions.add(made);
        response.setHeader('set-cookie', `sid=${made}; Path=/`);
      }
      response.end(String(sessions.has(token)));
    };
    if (url === '/slow-login') held.push(answer);
    else answer();
  };
  const release = () => {
    for (const answer of held.splice(0)) answer();
  };
  return { handle, release, waiting: () => held.length };
}

describe('holdfast proxy at SIGUSR2: what is handed over', function () {
  this.timeout(60_000);

  it('answers /ready and /backends all the time, at a port and at a Unix socket', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-restart-'));
    const socketPath = path.join(folder, 'admin.sock');
    try {
      await withToys([undefined], toy => {
        const where = ['--port', '0', '--admin', `unix:${socketPath}`, '--health-listen', '127.0.0.1:0'];
        return withHoldfast(['proxy', ...where, '--backend', String(toy?.url.origin)], async holdfast => {
          await holdfast.sees(/\/ready on http:\S+:\d+/);
          const port = Number(/\/ready on http:\S+:(\d+)/.exec(holdfast.output.stderr)?.[1]);
          const watchers = [
            new Watcher({ host: '127.0.0.1', port }, '/ready'),
            new Watcher({ socketPath }, '/ready'),
            new Watcher({ socketPath }, '/backends'),
          ];
          let isOver = false;
          const running = Promise.all(watchers.map(each => each.run(() => isOver)));
          let pid = holdfast.child.pid ?? 0;
          // The second restart is that of a successor.
          for (let nth = 0; nth < 2; nth += 1) {
            pid = await restart(holdfast, pid);
            const goals = watchers.map(({ asked }) => asked + 20);
            await until(
              () => watchers.every(({ asked }, at) => asked >= (goals[at] ?? 0)),
              10_000,
              () => '20 answers of each listener',
            );
          }
          expect(await exitCodeOf(holdfast), holdfast.output.stderr).to.equal(0);
          expect((await get({ socketPath }, '/backends', new Agent())).status).to.equal(200);
          isOver = true;
          await running;
          expect(watchers.flatMap(({ problems }) => problems)).to.deep.equal([]);
          process.kill(pid, 'SIGTERM');
          await until(
            () =>
              stat(socketPath).then(
                () => false,
                () => true,
              ),
            10_000,
            () => 'the last process to remove its socket',
          );
        });
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('takes no orders of the admin API that the new process would not know', () => {
    let isHeld = false;
    // While a health check is not answered, the new process cannot serve.
    const handle: RequestListener = (_, response) => void (isHeld || response.end());
    return withToys([handle], toy => {
      const where = ['--port', '0', '--admin-port', '0', '--health-path', '/up', '--health-timeout', '60s'];
      return withHoldfast(['proxy', ...where, '--backend', String(toy?.url.origin)], async holdfast => {
        await holdfast.sees(/listening on/);
        const order = () =>
          ask(adminOf(holdfast), '/backends/backend-1', {
            method: 'PUT',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ weight: 5 }),
          });
        expect((await order()).status).to.equal(200);
        isHeld = true;
        holdfast.child.kill('SIGUSR2');
        await until(
          async () => (await order()).status === 503,
          10_000,
          () => 'an order that is refused',
        );
        expect((await order()).headers).to.include({ 'retry-after': '1' });
        expect((await ask(adminOf(holdfast), '/backends')).status).to.equal(200);
        for (const line of await holdfast.running()) process.kill(Number.parseInt(line, 10), 'SIGKILL');
        await holdfast.sees(/not restarted, process \d+ goes on/);
        expect((await order()).status).to.equal(200);
      });
    });
  });

  it('keeps sessions that were learnt from the cookie of the app, also those of the last answers', async () => {
    const apps = [makeApp(), makeApp(), makeApp()];
    await withToys(
      apps.map(({ handle }) => handle),
      (...toys) => {
        const where = ['--port', '0', '--admin-port', '0', '--affinity-cookie', 'sid'];
        const given = toys.flatMap(({ url }) => ['--backend', url.origin]);
        return withHoldfast(['proxy', ...where, ...given], async holdfast => {
          await holdfast.sees(/listening on/);
          const url = urlOf(holdfast);
          const cookieOf = async (asked: ReturnType<typeof ask>) =>
            (await asked).headers['set-cookie']?.[0]?.split(';')[0];
          const early = await Promise.all(Array.from({ length: 8 }, () => cookieOf(ask(url, '/login'))));
          const held = Promise.all(Array.from({ length: 8 }, () => cookieOf(ask(url, '/slow-login'))));
          await until(
            () => apps.reduce((sum, { waiting }) => sum + waiting(), 0) === 8,
            5000,
            () => 'eight requests at the apps',
          );
          const pid = await restart(holdfast, holdfast.child.pid ?? 0);
          for (const { release } of apps) release();
          const cookies = [...early, ...(await held)];
          const known = await Promise.all(
            cookies.map(async cookie => (await ask(url, '/', { headers: { cookie } })).text),
          );
          expect(known).to.deep.equal(cookies.map(() => 'true'));
          process.kill(pid, 'SIGTERM');
        });
      },
    );
  });
});
