import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { startLiveServer } from '#src/live/live-server.js';
import { LiveSession } from '#src/live/live-session.js';
import { livePage } from '#src/live/page-file.js';
import { PlayedRun } from '#src/live/played-run.js';
import { type MarkView, type StrikeView, sideNames, type UserView } from '#src/live/protocol.js';
import { packageFile } from '#src/shared/package.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { randomStream } from '#src/simulator/plan/random.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { launchChromium } from '../chromium.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';
import { noCounts, sideView } from './page-feed.js';
import { countsOfReport } from './told-run.js';
import { type Live, madeUpSettings, withLive } from './with-live.js';
import { drawnFrames, killOfTwo, readCounters, settle, withLivePage } from './with-live-page.js';

const random = randomStream(7, 'page-stream');
const states = ['in', 'in', 'in', 'waiting', 'in-doubt', 'has-lost', 'logged-out'] as const;
/** A leak shows with few users too, and a browser without a graphics card needs 10 ms for each dot that moves. */
const usersInFrames = 24;
/** Not a multiple of the 10 frames that a strike keeps its state, so that the page draws each state. */
const framesPerDraw = 15;

const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] ?? expect.fail('empty');

describe('a page of the live lab', function () {
  this.timeout(60_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  for (const [what, awayMs] of [
    ['2 s', 2_000],
    ['40 s', 40_000],
    ['5 minutes', 300_000],
  ] as const) {
    it(`equals a page that was never cut, after its stream was cut for ${what}`, async () => {
      let nowMs = 0;
      const liveOptions = { page: livePage(), now: () => nowMs };
      await withLive(
        async live => {
          const world = new MadeUpWorld(live);
          const [steady, cut] = await Promise.all([openPage(browser, live), openPage(browser, live)]);
          const go = (times: number, byMs: number) => {
            for (let i = 0; i < times; i += 1) {
              nowMs += byMs;
              world.go(nowMs);
            }
          };
          go(10, 100);
          await cut.context().setOffline(true);
          // The page notices the silence of its stream.
          await cut.clock.fastForward(11_000);
          await cut.locator('html[data-connection="waiting"]').waitFor();
          world.strike();
          go(20, awayMs / 20);
          await cut.context().setOffline(false);
          await cut.evaluate("document.querySelector('#notice button')?.click()");
          await cut.locator('html[data-connection="open"]').waitFor();
          go(1, 100);
          await Promise.all([steady, cut].map(page => isShown(page, world.lastUser)));
          expect(await shownBy(cut)).to.deep.equal(await shownBy(steady));
          const reloaded = await openPage(browser, live);
          expect(await shownBy(reloaded)).to.deep.equal(await shownBy(steady));
          for (const page of [steady, cut, reloaded]) await page.context().close();
        },
        {},
        (side, name) => side.show(sideView(name === 'left' ? 'sticky' : 'redis', { stage: 'starting' })),
        liveOptions,
      );
    });
  }

  it('ends in the state of the report when it plays a recorded run', async () => {
    const scenario = await readScenario(packageFile('scenarios/kill-one.yaml'));
    const plan = makePlan(scenario, 42);
    const runs = {
      left: await runInMemory(scenario, 'sticky', plan),
      right: await runInMemory(scenario, 'redis', plan),
    };
    let nowMs = 0;
    const played = { left: new PlayedRun(runs.left, () => nowMs), right: new PlayedRun(runs.right, () => nowMs) };
    const session = new LiveSession({
      settings: { ...madeUpSettings, isReplay: true },
      modes: { left: 'sticky', right: 'redis' },
      makeSide: name => played[name],
    });
    const server = await startLiveServer({ session, page: livePage(), port: 0, exportFile: () => undefined });
    const page = await browser.newPage();
    await page.goto(server.address);
    await session.start();
    for (let i = 0; i < 12; i += 1) {
      nowMs += 2_000;
      for (const name of sideNames) played[name].play();
      session.tick();
    }
    expect(sideNames.map(name => played[name].view().stage)).to.deep.equal(['over', 'over']);
    for (const name of sideNames) {
      const side = page.locator(`.side[data-side="${name}"]`);
      const report = countsOfReport(runs[name]);
      await side.getByText(`of ${report.exposed} exposed`).waitFor();
      await drawnFrames(page);
      const counters = await readCounters(side);
      expect(report).to.deep.include(counters);
      expect(await side.locator('.dots i').count()).to.equal(played[name].view().users.length);
    }
    await page.close();
    await session.end('The test is over.', async () => []);
    await server.close();
  });

  it('keeps its heap and its number of nodes in the 600 frames of a minute', async () => {
    const users = Array.from({ length: usersInFrames }, (_, index) => madeUser(index));
    await withLivePage(
      browser,
      { left: { users }, right: { users } },
      async ({ page, feed }) => {
        const developer = await page.context().newCDPSession(page);
        await developer.send('Performance.enable');
        const measure = async () => {
          await drawnFrames(page);
          await developer.send('HeapProfiler.collectGarbage');
          const { metrics } = await developer.send('Performance.getMetrics');
          const found = new Map(metrics.map(({ name, value }) => [name, value]));
          return { heap: found.get('JSHeapUsedSize') ?? 0, nodes: found.get('Nodes') ?? 0 };
        };
        const minute = async (from: number) => {
          for (let frame = from; frame < from + 600; frame += 1) {
            const change = frameAt(frame);
            feed.push({ kind: 'frame', left: change, right: change });
            if (frame % framesPerDraw === 0) await drawnFrames(page);
          }
        };
        await minute(0);
        const before = await measure();
        await minute(600);
        const after = await measure();
        expect(after.nodes - before.nodes, 'nodes').to.be.within(-200, 20);
        expect((after.heap - before.heap) / 2 ** 20, 'MB').to.be.lessThan(0.5);
      },
      { viewport: { width: 480, height: 320 } },
    );
  });
});

function madeUser(index: number): UserView {
  return { name: `user-${index + 1}`, state: pick(states), member: pick(['backend-1', 'backend-2', 'backend-3']) };
}

/** A change as the server sends it: some users move, a second gets its bin, and what is older than a minute goes. */
function frameAt(frame: number) {
  const nowMs = 30_000 + frame * 100;
  const atMs = Math.floor(nowMs / 1000) * 1000;
  const mark: MarkView = { kind: 'lost', user: 'user-1', sinceMs: nowMs - 500, seenMs: nowMs };
  const goneMs = nowMs - 60_000;
  return {
    nowMs,
    users: Array.from({ length: 8 }, (_, index) => madeUser((frame * 8 + index) % usersInFrames)),
    counts: { ...noCounts, loggedOut: frame % 60, exposed: 64, acknowledged: frame },
    bins: [{ atMs, ok: 20 + (frame % 10), failed: frame % 3, unknown: 0, p50Ms: 3, p99Ms: 12 }],
    marks: frame % 5 === 0 ? [mark] : [],
    strikes: [{ ...killOfTwo, requestedMs: 29_000, state: frame % 20 < 10 ? 'confirmed' : 'healing' } as const],
    gone: {
      bins: [String(Math.floor(goneMs / 1000) * 1000)],
      marks: [`lost user-1 ${goneMs - 500} ${goneMs}`],
    },
  };
}

/** Two made-up sides whose users and counters change by chance. */
class MadeUpWorld {
  readonly #live: Live;
  #lost = 0;
  lastUser = '';

  constructor(live: Live) {
    this.#live = live;
    for (const name of sideNames) live.side(name).show({ stage: 'running' });
    live.session.tick();
  }

  go(nowMs: number): void {
    this.lastUser = `user-at-${Math.round(nowMs)}`;
    for (const name of sideNames) {
      const side = this.#live.side(name);
      this.#lost += Math.floor(random() * 3);
      const counts = { ...noCounts, exposed: 12, loggedOut: this.#lost, acknowledged: 100 + this.#lost };
      const users = side.shown.users.filter(user => !user.name.startsWith('user-at')).map((_, i) => madeUser(i));
      const last = { name: this.lastUser, state: 'in', member: 'backend-1' } as const;
      side.show({ nowMs, users: [...users, last], counts });
    }
    this.#live.session.tick(nowMs);
  }

  strike(): void {
    for (const name of sideNames) {
      const side = this.#live.side(name);
      const { nowMs, counts: before } = side.shown;
      const strike: StrikeView = { ...killOfTwo, requestedMs: nowMs, confirmedMs: nowMs, before };
      side.show({ strikes: [strike] });
      side.onStrike(strike, nowMs);
    }
  }
}

async function openPage(browser: Browser, live: Live): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.clock.install();
  await page.goto(live.server.address);
  await page.locator('.side').nth(1).locator('.dots i').first().waitFor();
  return page;
}

async function isShown(page: Page, user: string): Promise<void> {
  for (const name of sideNames) await page.locator(`.side[data-side="${name}"] i[data-user="${user}"]`).waitFor();
}

/** Returns all that a page shows of both sides. The place of a dot within its box depends on who came first. */
async function shownBy(page: Page): Promise<unknown> {
  await page.evaluate(settle);
  await drawnFrames(page);
  return page.evaluate(`(() => {
    const boxes = [...document.querySelectorAll('.box')];
    const isIn = (dot, box) => dot.x > box.left && dot.x < box.right && dot.y > box.top && dot.y < box.bottom;
    const boxOf = dot => boxes.find(box => isIn(dot.getBoundingClientRect(), box.getBoundingClientRect()));
    return [
      document.querySelector('#alarm').textContent,
      document.querySelector('#strike-bar').innerText,
      [...document.querySelectorAll('.sentence, .counters, .label')].map(each => each.textContent),
      [...document.querySelectorAll('.dots i')].map(dot =>
        [dot.closest('.side').dataset.side, dot.dataset.user, dot.dataset.state, boxOf(dot).ariaLabel].join(' ')).sort(),
    ];
  })()`);
}
