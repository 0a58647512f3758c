import { expect } from 'chai';
import type { Browser, Locator, Page } from 'playwright-core';
import type { UserStateName } from '#src/live/protocol.js';
import { launchChromium } from '../chromium.js';
import { noCounts, sideView, usersIn } from './page-feed.js';
import { drawnFrames, findCutOff, killOfTwo, settle, shortStory, withLivePage } from './with-live-page.js';

const states = ['in', 'waiting', 'in-doubt', 'has-lost', 'logged-out', 'someone-else', 'arriving', 'gone'] as const;

describe('the page of the live lab in a real browser', function () {
  this.timeout(30_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  describe('shows', () => {
    it('each user in the box of the backend that answered it last, with a shape of its own for each state', async () => {
      const users = states.map((state, index) => ({
        name: `user-${index + 1}`,
        state,
        member: index === 6 ? null : `backend-${(index % 3) + 1}`,
      }));
      await withLivePage(browser, { left: { users } }, async ({ page, side }) => {
        const shapes: string[] = [];
        for (const { name, state, member } of users) {
          const dot = side('left').locator(`.dots i[data-user="${name}"]`);
          expect(await dot.getAttribute('data-state')).to.equal(state);
          const box = side('left').getByRole('group', { name: member ?? 'proxy', exact: true });
          expect(await isInside(dot, box), `${name} is in ${member}`).to.equal(true);
          shapes.push(await shapeOf(page, state));
        }
        expect(new Set(shapes).size, 'shapes without colour').to.equal(states.length);
      });
    });

    it('that the machine is too busy for fair results, and which fault a side leaves out', async () => {
      const note = 'The fault "outage" of the scenario is left out.';
      await withLivePage(browser, { left: { note } }, async ({ page, feed, side }) => {
        await side('left').getByText(note).waitFor();
        expect(await side('right').locator('p.note').isVisible()).to.equal(false);
        expect(await page.locator('#warning').isVisible()).to.equal(false);
        feed.push({ kind: 'frame', settings: { ...feed.snapshot.settings, warning: 'The machine is too busy.' } });
        await page.getByText('The machine is too busy.').waitFor();
        feed.push({ kind: 'frame', settings: feed.snapshot.settings });
        await page.locator('#warning').waitFor({ state: 'hidden' });
      });
    });

    it('a user that changes its backend in the other box', async () => {
      await withLivePage(browser, {}, async ({ page, feed, side }) => {
        const dot = side('right').locator('.dots i[data-user="user-1"]');
        feed.push({
          kind: 'frame',
          right: { nowMs: 30_100, users: [{ name: 'user-1', state: 'logged-out', member: 'backend-3' }] },
        });
        await side('right').locator('.dots i[data-state="logged-out"]').waitFor();
        await page.evaluate(settle);
        expect(await isInside(dot, side('right').getByRole('group', { name: 'backend-3' }))).to.equal(true);
        expect(await side('left').locator('.dots i[data-state="logged-out"]').count()).to.equal(0);
      });
    });

    it('the counters of each side, what changed since the strike, and one sentence about it', async () => {
      await withLivePage(browser, {}, async ({ feed, side }) => {
        feed.push({ kind: 'strike', side: 'left', nowMs: 30_000, strike: killOfTwo });
        feed.push({ kind: 'strike', side: 'right', nowMs: 30_000, strike: killOfTwo });
        const counts = { ...noCounts, loggedOut: 19, exposed: 21, acknowledged: 140, missing: 35, lost: 20, failed: 3 };
        const members = sideView('sticky').members.map(member =>
          member.name === 'backend-2' ? ({ ...member, state: 'dead', sinceMs: 29_000 } as const) : member,
        );
        feed.push({
          kind: 'frame',
          left: { nowMs: 31_400, counts, members },
          right: { nowMs: 31_400, counts: { ...noCounts, exposed: 16 } },
        });
        await side('left').getByText('19 of the 21 users that it served were logged out').waitFor();
        const counters = side('left').locator('.counters');
        for (const [part, texts] of [
          ['dd:not(.detail)', ['19 +19', '35 +35', '3 / 0 ', '12 ms ']],
          ['dt', ['logged out', 'acknowledged writes missing', 'failed / unknown', 'p99 of the last 5 s']],
          ['.detail', ['of 21 exposed', '20 proven lost', '+3 since strike', '12 ms before']],
        ] as const) {
          expect(await counters.locator(part).allTextContents()).to.deep.equal(texts);
        }
        expect(await side('left').getByRole('group', { name: 'backend-2' }).textContent()).to.include(
          'down for 2.4\u00a0s',
        );
        expect(await side('right').locator('.sentence').textContent()).to.equal(
          'backend-2 was killed 2 s ago: so far none of the 16 users that it served was logged out, and no acknowledged write is missing.',
        );
      });
    });

    it('that a backend is spare, in a box without room for dots, until it is started', async () => {
      const spare = { name: 'backend-4', role: 'backend', state: 'spare', sinceMs: 0 } as const;
      const members = [...sideView('redis').members, spare];
      await withLivePage(browser, { right: { members } }, async ({ feed, side }) => {
        const box = side('right').getByRole('group', { name: 'backend-4' });
        await box.getByText('spare, not started').waitFor();
        expect(await box.locator('.area').isVisible()).to.equal(false);
        const started = { ...spare, state: 'up', sinceMs: 30_100 } as const;
        const users = [{ name: 'user-1', state: 'in', member: 'backend-4' }] as const;
        feed.push({ kind: 'frame', right: { nowMs: 30_100, members: [started], users } });
        await box.getByText('up').waitFor();
        await box.locator('.area').waitFor();
        await side('right').page().evaluate(settle);
        expect(await isInside(side('right').locator('i[data-user="user-1"]'), box)).to.equal(true);
      });
    });

    it('in the box that a strike was not confirmed, and why', async () => {
      await withLivePage(browser, {}, async ({ feed, side }) => {
        const strike = { ...killOfTwo, state: 'not-confirmed', problem: 'It still answers.' } as const;
        feed.push({ kind: 'strike', side: 'left', nowMs: 30_000, strike });
        const box = side('left').getByRole('group', { name: 'backend-2' });
        await box.getByText('kill: not confirmed. It still answers.').waitFor();
      });
    });

    it('an alert when an answer named another user, and none before', async () => {
      await withLivePage(browser, {}, async ({ page, feed }) => {
        const alarm = page.locator('#alarm');
        expect(await alarm.isVisible()).to.equal(false);
        const users = [{ name: 'user-5', state: 'someone-else', member: 'backend-2' }] as const;
        feed.push({ kind: 'frame', left: { nowMs: 30_100, users, counts: { ...noCounts, swapped: 1 } } });
        await alarm.waitFor();
        expect(await page.getByRole('alert').filter({ hasText: 'Left' }).textContent()).to.equal(
          'Left: 1 user got the answer of another user. Now it is user-5.',
        );
      });
    });

    it('that a side starts, and why it has failed', async () => {
      const failed = { stage: 'failed', problem: 'redis-server did not start.' } as const;
      await withLivePage(browser, { left: { stage: 'starting' }, right: failed }, async ({ side }) => {
        expect(await side('left').locator('.sentence').textContent()).to.equal('Starting the system in mode sticky …');
        expect(await side('right').locator('.sentence').textContent()).to.equal('redis-server did not start.');
      });
    });

    it('the same numbers in the table as in the dots, and opens the story of a user from it', async () => {
      const users = [...usersIn('in', 9), { name: 'user-10', state: 'logged-out', member: 'backend-2' } as const];
      await withLivePage(browser, { left: { users } }, async ({ page, feed }) => {
        await page.getByText('Users as a table').click();
        const table = page.getByRole('region', { name: 'Users, left' });
        await table.waitFor();
        const row = (name: string) => table.getByRole('row', { name: new RegExp(`^${name}`) }).locator('td');
        expect(await row('logged in').allTextContents()).to.deep.equal(['3', '3', '3', '0', '9']);
        expect(await row('logged out').allTextContents()).to.deep.equal(['0', '1', '0', '0', '1']);
        feed.story = shortStory('user-10');
        await page.getByLabel('Story of a user on the left').selectOption('user-10');
        await page.getByRole('button', { name: 'Open' }).first().click();
        const story = page.getByRole('dialog', { name: 'sticky: the whole story of user-10' });
        await story.waitFor();
        expect(await story.locator('.requests-of-one tbody tr').count()).to.equal(1);
        expect(await story.getByText('What is wrong').count()).to.equal(0);
      });
    });
  });

  for (const width of [390, 1280, 2560]) {
    it(`cuts nothing off at ${width} px`, async () => {
      const viewport = { width, height: 844 };
      const problem = 'It still answered after two seconds, although it got the signal.';
      const strikes = [{ ...killOfTwo, state: 'not-confirmed', problem } as const];
      await withLivePage(
        browser,
        {
          left: { strikes },
          right: { counts: { ...noCounts, missing: 12_345, lost: 1, failed: 16_197, unknown: 2_572 } },
        },
        async ({ page }) => expect(await findCutOff(page)).to.deep.equal([]),
        { viewport },
      );
    });
  }

  it('moves no dot when the reader wants less motion', async () => {
    await withLivePage(
      browser,
      {},
      async ({ feed, side }) => {
        feed.push({
          kind: 'frame',
          right: { nowMs: 30_100, users: [{ name: 'user-1', state: 'logged-out', member: 'backend-3' }] },
        });
        const dot = side('right').locator('.dots i[data-state="logged-out"]');
        await dot.waitFor();
        expect(await dot.evaluate(element => element.getAnimations().length)).to.equal(0);
      },
      { reducedMotion: 'reduce' },
    );
  });

  it('draws a frame of 2 x 400 users in 4 ms of CPU time, and keeps its number of nodes', async () => {
    const many = { users: usersIn('in', 400) };
    await withLivePage(browser, { left: many, right: many }, async ({ page, feed }) => {
      const developer = await page.context().newCDPSession(page);
      // CPU time of the main thread, because other tests share the processor.
      await developer.send('Performance.enable', { timeDomain: 'threadTicks' });
      const measure = async () => {
        const { metrics } = await developer.send('Performance.getMetrics');
        return new Map(metrics.map(({ name, value }) => [name, value]));
      };
      const nodes = () => page.evaluate<number>("document.querySelectorAll('*').length");
      const [before, nodesBefore, frames] = [await measure(), await nodes(), 20];
      for (let frame = 1; frame <= frames; frame += 1) {
        const users = many.users.slice(frame * 8, frame * 8 + 40).map((user, index) => ({
          ...user,
          state: frame % 2 === 0 ? ('in' as const) : ('logged-out' as const),
          member: `backend-${((index + frame) % 3) + 1}`,
        }));
        const change = { nowMs: 30_000 + frame * 100, users };
        feed.push({ kind: 'frame', left: change, right: change });
        await drawnFrames(page);
      }
      const spent = ((await measure()).get('ScriptDuration') ?? 0) - (before.get('ScriptDuration') ?? 0);
      expect((spent * 1000) / frames)
        .to.be.greaterThan(0.05)
        .and.lessThan(4);
      expect(await nodes()).to.equal(nodesBefore);
    });
  });
});

async function isInside(inner: Locator, outer: Locator): Promise<boolean> {
  const [dot, box] = [await inner.boundingBox(), await outer.boundingBox()];
  if (dot === null || box === null) return false;
  const [x, y] = [dot.x + dot.width / 2, dot.y + dot.height / 2];
  return x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height;
}

/** Returns all that makes the shape of a state, without its colour. */
async function shapeOf(page: Page, state: UserStateName): Promise<string> {
  return page.evaluate<string>(`(() => {
    const look = getComputedStyle(document.querySelector('#legend i[data-state="${state}"]'));
    const image = look.backgroundImage.replaceAll(/rgba?\\([^)]*\\)/g, 'colour');
    return [look.clipPath, look.borderTopWidth, image, look.borderTopLeftRadius, look.scale].join(' | ');
  })()`);
}
