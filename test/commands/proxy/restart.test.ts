/** Tests restarts and reloads without a gap: real processes, under load. */
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { inFolder } from '../../in-folder.js';
import { type Answer, ask, cookieOf, viewsOf } from '../../proxy/ask.js';
import { type Toy, withToys } from '../../proxy/toy-backend.js';
import { type Holdfast, until, withHoldfast } from '../holdfast.js';
import { adminOf, exitCodeOf, restart, urlOf } from './restarting.js';

const browsers = 64;
const reloads = 50;
/** Pause between the requests of a browser: the processor is for the restart. */
const pauseMs = 25;

interface Shot {
  readonly status: number;
  readonly text: string;
  readonly rebound: boolean;
}

/** A browser that keeps its connection and its cookie, and sends one request after the other. */
class Browser {
  readonly shots: Shot[] = [];
  readonly problems: string[] = [];
  cookie = '';
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async get(): Promise<Answer> {
    const answer = await ask(this.#url, '/', { agent: this.#agent, headers: { cookie: this.cookie } });
    const given = cookieOf(answer);
    this.shots.push({ status: answer.status, text: answer.text, rebound: given !== undefined && this.cookie !== '' });
    this.cookie = given ?? this.cookie;
    return answer;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.get().catch(error => this.problems.push(String(error)));
      await delay(pauseMs);
    }
    this.#agent.destroy();
  }
}

async function withProxy(
  toys: readonly Toy[],
  flags: readonly string[],
  use: (holdfast: Holdfast, url: string) => Promise<void>,
): Promise<void> {
  // Only the proxy names the boots, so a lost count would void every binding.
  for (const toy of toys) toy.incarnation = undefined;
  const given = toys.flatMap(({ url }) => ['--backend', url.origin]);
  const where = ['--port', '0', '--admin-port', '0', '--health-interval', '100ms', '--slow-start', '0'];
  await withHoldfast(['proxy', ...where, ...given, ...flags], async holdfast => {
    await holdfast.sees(/listening on/);
    await use(holdfast, urlOf(holdfast));
  });
}

/** Sends requests of all browsers before, during and after `use`. None may fail, or reach another backend than before. */
async function losingNothing(url: string, use: (rounds: (more: number) => Promise<void>) => Promise<void>) {
  const all = Array.from({ length: browsers }, () => new Browser(url));
  let isOver = false;
  const running = Promise.all(all.map(browser => browser.run(() => isOver)));
  const rounds = async (more: number): Promise<void> => {
    const goals = all.map(({ shots }) => shots.length + more);
    const isDone = () => all.every(({ shots }, at) => shots.length >= (goals[at] ?? 0));
    await until(isDone, 20_000, () => `${more} requests of each browser`);
  };
  try {
    await rounds(3);
    await use(rounds);
  } finally {
    isOver = true;
    await running;
  }
  expect(all.flatMap(({ problems }) => problems)).to.deep.equal([]);
  expect([...new Set(all.flatMap(({ shots }) => shots.map(({ status }) => status)))]).to.deep.equal([200]);
  expect(all.filter(({ shots }) => new Set(shots.map(({ text }) => text)).size > 1)).to.deep.equal([]);
  expect(all.flatMap(({ shots }) => shots.filter(({ rebound }) => rebound))).to.deep.equal([]);
}

describe('holdfast proxy at SIGHUP', () => {
  it(`reloads ${reloads} times under ${browsers} browsers without a failed request or a moved session`, () =>
    withToys([undefined, undefined, undefined], (...toys) =>
      inFolder(async folder => {
        const file = path.join(folder, 'proxy.yaml');
        const backends = toys.map(toy => `  - ${toy?.url.origin}`);
        const write = (policy: string) =>
          writeFile(file, ['port: 0', 'admin-port: 0', 'backend:', ...backends, `policy: ${policy}`].join('\n'));
        await write('round-robin');
        await withHoldfast(['proxy', '--config', file], async holdfast => {
          await holdfast.sees(/listening on/);
          const { child, output } = holdfast;
          await losingNothing(urlOf(holdfast), async rounds => {
            for (let nth = 1; nth <= reloads; nth += 1) {
              await write(nth % 2 === 1 ? 'least-connections' : 'round-robin');
              child.kill('SIGHUP');
              const isReloaded = () => output.stderr.split('reloaded: --policy changed').length > nth;
              await until(isReloaded, 5_000, () => `reload ${nth}: ${output.stderr}`);
            }
            await rounds(3);
          });
          child.kill('SIGTERM');
          expect(await holdfast.ended()).to.equal(0);
        });
      }),
    )).timeout(60_000);
});

describe('holdfast proxy at SIGUSR2', function () {
  this.timeout(60_000);

  for (const workers of ['1', '2']) {
    it(`restarts under ${browsers} browsers without a failed request or a moved session (workers: ${workers})`, () =>
      withToys([undefined, undefined, undefined], (...toys) =>
        withProxy(toys, ['--workers', workers], async (holdfast, url) => {
          let pid = holdfast.child.pid ?? 0;
          await losingNothing(url, async rounds => {
            // The second restart is that of a successor.
            for (let nth = 0; nth < 2; nth += 1) {
              pid = await restart(holdfast, pid);
              expect(urlOf(holdfast)).to.equal(url);
              await rounds(3);
            }
          });
          expect(await exitCodeOf(holdfast), holdfast.output.stderr).to.equal(0);
          process.kill(pid, 'SIGTERM');
          await until(
            async () => (await holdfast.running()).length === 0,
            10_000,
            () => 'the end of the last process',
          );
        }),
      ));
  }

  it('keeps drains, weights, backends of the admin API and bound browsers', () =>
    withToys([undefined, undefined, undefined], (one, two, three) =>
      withProxy(
        [one, two].filter(toy => toy !== undefined),
        [],
        async (holdfast, url) => {
          const views = () => viewsOf(adminOf(holdfast));
          const becomes = (at: number, state: string) =>
            until(
              async () => (await views())[at]?.state === state,
              5000,
              () => `backend ${at + 1} ${state}`,
            );
          // The proxy counts this boot.
          if (one !== undefined) one.healthy = false;
          await becomes(0, 'down');
          if (one !== undefined) one.healthy = true;
          await becomes(0, 'ready');
          const seen: Record<string, Browser> = {};
          for (let nth = 0; nth < 4; nth += 1) {
            const browser = new Browser(url);
            seen[(await browser.get()).text] = browser;
            // A browser counts as bound when its cookie has come back.
            await browser.get();
          }
          const order = (method: string, where: string, body: object) =>
            ask(adminOf(holdfast), where, {
              method,
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify(body),
            });
          await order('PUT', '/backends/backend-1', { state: 'drain' });
          await order('POST', '/backends', { url: three?.url.origin, weight: 7 });
          await becomes(2, 'ready');
          const before = await views();
          const pid = await restart(holdfast, holdfast.child.pid ?? 0);
          // The old process may finish what it has, so it does not count here.
          expect((await views()).map(withoutShare)).to.deep.equal(before.map(withoutShare));
          expect(before[0]).to.include({ state: 'draining', drained: false, bound: 2, incarnation: '2' });
          expect((await seen['backend-1']?.get())?.text).to.equal('backend-1');
          expect((await seen['backend-1']?.get())?.headers).not.to.have.property('set-cookie');
          process.kill(pid, 'SIGTERM');
        },
      ),
    ));

  it('goes on when the new process cannot serve, and says why', () =>
    inFolder(folder =>
      withToys([undefined], async toy => {
        const file = path.join(folder, 'proxy.yaml');
        const lines = ['port: 0', 'admin-port: 0', `backend: ${toy?.url.origin}`];
        await writeFile(file, lines.join('\n'));
        await withHoldfast(['proxy', '--config', file], async holdfast => {
          await holdfast.sees(/listening on/);
          const { child } = holdfast;
          await writeFile(file, [...lines, 'polic: random'].join('\n'));
          child.kill('SIGUSR2');
          await holdfast.sees(
            /not restarted, process \d+ goes on: \S+proxy\.yaml:4:1: unknown setting "polic"\. Did you mean "policy"\?/,
          );
          expect((await ask(urlOf(holdfast), '/')).text).to.equal('backend-1');
          await writeFile(file, lines.join('\n'));
          const pid = await restart(holdfast, child.pid ?? 0);
          expect((await ask(urlOf(holdfast), '/')).text).to.equal('backend-1');
          expect(await exitCodeOf(holdfast)).to.equal(0);
          process.kill(pid, 'SIGTERM');
        });
      }),
    ));
});

function withoutShare(view: object): object {
  return { ...view, share: undefined };
}
