import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../chromium.js';
import { noCounts, settings, sideView, usersIn } from './page-feed.js';
import { drawnFrames, killOfTwo, posted, withLivePage } from './with-live-page.js';

describe('the controls of the page of the live lab in a real browser', function () {
  this.timeout(30_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  describe('by keyboard', () => {
    it('strikes, heals and chooses the sides, without the pointer', async () => {
      const cut = { ...killOfTwo, id: 'cut', fault: 'cut-link', target: 'proxy->backend-3' };
      await withLivePage(browser, { right: { strikes: [cut] } }, async ({ page, feed }) => {
        const both = ['left', 'right'];
        const strike = { do: 'strike', sides: both };
        for (const [keys, command] of [
          ['2k', { ...strike, fault: 'kill', target: 'backend-2' }],
          ['h', { ...strike, fault: 'hang', target: 'backend-2' }],
          ['d', { ...strike, fault: 'drain', target: 'backend-2' }],
          ['s', { ...strike, fault: 'slow', target: 'proxy->backend-2', options: { latency: '200ms' } }],
          ['c', { ...strike, fault: 'cut-link', target: 'proxy->backend-2' }],
          ['3r', { do: 'heal', sides: ['right'], member: 'backend-3' }],
          ['4k', { ...strike, fault: 'kill', target: 'proxy' }],
          ['1bk', { ...strike, sides: ['left'], fault: 'kill', target: 'backend-1' }],
          ['bk', { ...strike, sides: ['right'], fault: 'kill', target: 'backend-1' }],
          ['b5k', { ...strike, sides: ['right'], fault: 'kill', target: 'redis' }],
        ] as const) {
          await posted(page, () => page.keyboard.type(keys));
          expect(feed.commands.at(-1), keys).to.deep.equal(command);
        }
      });
    });

    it('does nothing in a field, in a dialog, with Ctrl, or when the keys are off', async () => {
      await withLivePage(browser, {}, async ({ page, feed }) => {
        await page.getByLabel('Users', { exact: true }).focus();
        await page.keyboard.type('k');
        await page.locator('body').press('Control+k');
        await page.getByLabel('Users', { exact: true }).blur();
        await page.keyboard.type('?');
        const help = page.getByRole('dialog', { name: 'Help' });
        await help.waitFor();
        await page.keyboard.type('k');
        await help.getByLabel('Keys are on').uncheck();
        await page.keyboard.press('Escape');
        await page.keyboard.type('k');
        await posted(page, () => page.getByRole('button', { name: 'Hang' }).click());
        expect(feed.commands.map(command => 'fault' in command && command.fault)).to.deep.equal(['hang']);
      });
    });

    it('pauses the view while the systems go on, and then shows all that happened', async () => {
      await withLivePage(browser, {}, async ({ page, feed, side }) => {
        await page.keyboard.press(' ');
        await page.getByRole('button', { name: 'Go on', pressed: true }).waitFor();
        const [first, second] = ['user-1', 'user-2'].map(
          name => ({ name, state: 'logged-out', member: 'backend-1' }) as const,
        );
        feed.push({ kind: 'frame', left: { nowMs: 30_100, users: first ? [first] : [] } });
        feed.push({ kind: 'frame', left: { nowMs: 30_200, users: second ? [second] : [] } });
        await drawnFrames(page);
        expect(await side('left').locator('.dots i[data-state="logged-out"]').count()).to.equal(0);
        await page.keyboard.press(' ');
        await side('left').locator('.dots i[data-state="logged-out"]').nth(1).waitFor();
      });
    });

    it('offers every fault of a member with its options', async () => {
      await withLivePage(browser, {}, async ({ page, feed }) => {
        await page.keyboard.type('1m');
        const dialog = page.getByRole('dialog', { name: 'All faults that can strike backend-1' });
        const offered = await dialog.getByLabel('Fault').locator('option').allTextContents();
        expect(offered).to.deep.equal([
          'kill',
          'hang',
          'drain',
          'flap',
          'slow on proxy → backend-1',
          'cut-link on proxy → backend-1',
        ]);
        await dialog.getByLabel('Fault').selectOption('slow on proxy → backend-1');
        expect(await dialog.getByLabel('latency').inputValue()).to.equal('200ms');
        await dialog.getByLabel('jitter (optional)').fill('20ms');
        await posted(page, () => dialog.getByRole('button', { name: 'Strike on both sides' }).press('Enter'));
        expect(feed.commands).to.deep.equal([
          {
            do: 'strike',
            sides: ['left', 'right'],
            fault: 'slow',
            target: 'proxy->backend-1',
            options: { latency: '200ms', jitter: '20ms' },
          },
        ]);
        expect(await dialog.isVisible()).to.equal(false);
        await page.keyboard.type('m');
        await page.keyboard.press('Escape');
        await posted(page, () => page.keyboard.type('h'));
        expect(feed.commands.at(-1)).to.include({ fault: 'hang', target: 'backend-1' });
      });
    });

    it('says strikes and losses, at most one sentence a second', async () => {
      await withLivePage(browser, {}, async ({ page, feed }) => {
        await page.evaluate(`{
          const region = document.querySelector('#announcer');
          window.heard = new Promise(resolve => {
            const said = [];
            new MutationObserver(() => {
              said.push({ text: region.textContent, at: performance.now() });
              if (said.length === 3) resolve(said);
            }).observe(region, { childList: true, characterData: true, subtree: true });
          });
          0;
        }`);
        for (const side of ['left', 'right'] as const)
          feed.push({ kind: 'strike', side, nowMs: 30_000, strike: killOfTwo });
        for (let loggedOut = 1; loggedOut <= 5; loggedOut += 1) {
          feed.push({ kind: 'frame', left: { nowMs: 30_000, counts: { ...noCounts, loggedOut, exposed: 5 } } });
        }
        const sentences = await page.evaluate<{ text: string; at: number }[]>('heard');
        expect(sentences.map(({ text }) => text)).to.deep.equal([
          'Left: backend-2 was killed, confirmed.',
          'Right: backend-2 was killed, confirmed.',
          'Left: backend-2 was killed 1 s ago: all 5 users that it served were logged out.',
        ]);
        const gaps = sentences.slice(1).map(({ at }, index) => at - (sentences[index]?.at ?? 0));
        for (const gap of gaps) expect(gap).to.be.greaterThan(950);
      });
    });
  });

  describe('sends', () => {
    it('each other command, and shows the problem in the words of the lab', async () => {
      await withLivePage(browser, {}, async ({ page, feed, side }) => {
        feed.reply = () => ({ problems: [{ side: 'right', problem: 'The mode jwt needs Redis.' }] });
        await posted(page, () => side('right').getByLabel('Mode of the right side').selectOption('jwt'));
        await page.getByText('Right: The mode jwt needs Redis.').first().waitFor();
        expect(await side('right').getByLabel('Mode of the right side').inputValue()).to.equal('redis');
        feed.reply = () => ({ problems: [] });
        const users = page.getByLabel('Users', { exact: true });
        await users.fill('24');
        await posted(page, () => users.press('Enter'));
        await posted(page, () => page.getByRole('button', { name: 'Next seed' }).click());
        await posted(page, () => page.getByRole('button', { name: 'Clear' }).click());
        expect(feed.commands).to.deep.equal([
          { do: 'set-mode', side: 'right', mode: 'jwt' },
          { do: 'set-users', count: 24 },
          { do: 'next-seed' },
          { do: 'clear' },
        ]);
        expect(await page.locator('#reply').isVisible()).to.equal(false);
      });
    });

    it('the token with a download, and saves the file by its name', async () => {
      await withLivePage(browser, {}, async ({ page }) => {
        await page.keyboard.press('e');
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          page.getByRole('button', { name: 'scenario.yaml' }).click(),
        ]);
        expect(download.suggestedFilename()).to.equal('scenario.yaml');
      });
    });

    it('nothing in a replay: its controls are not shown', async () => {
      await withLivePage(browser, { settings: { isReplay: true } }, async ({ page, side }) => {
        await page.getByText('recorded histories, played again').waitFor();
        expect(await page.locator('#strike-bar').isVisible()).to.equal(false);
        expect(await side('left').getByLabel('Mode of the left side').isDisabled()).to.equal(true);
        for (const name of ['Next seed', 'Clear', 'Pause', 'Export']) {
          const isShown = ['Pause', 'Export'].includes(name);
          expect(await page.getByRole('button', { name, exact: true }).isVisible(), name).to.equal(isShown);
        }
        expect(await page.locator('#users').isVisible()).to.equal(false);
      });
    });
  });

  describe('reconnects', () => {
    it('with the last id, and then equals a page that was never cut', async () => {
      await withLivePage(browser, {}, async ({ page, feed, side }) => {
        feed.push({ kind: 'frame', left: { nowMs: 30_100, counts: { ...noCounts, loggedOut: 1, exposed: 4 } } });
        await side('left').getByText('of 4 exposed').waitFor();
        feed.cut();
        feed.missed = [{ kind: 'frame', left: { nowMs: 30_200, counts: { ...noCounts, loggedOut: 3, exposed: 4 } } }];
        await side('left').locator('.value', { hasText: /^3$/ }).waitFor();
        expect(feed.connections).to.deep.equal([undefined, '1']);
        expect(await page.locator('#notice').isVisible()).to.equal(false);
      });
    });

    it('after a longer outage, says so meanwhile, and starts from a snapshot', async () => {
      await withLivePage(browser, {}, async ({ page, feed, side }) => {
        feed.isDown = true;
        feed.cut();
        const notice = page.getByRole('alert').filter({ hasText: 'The live lab does not answer.' });
        await notice.waitFor();
        const left = sideView('sticky', { users: usersIn('logged-out', 3), counts: { ...noCounts, loggedOut: 3 } });
        feed.snapshot = { ...feed.snapshot, left };
        // The page may connect again by itself before the click. Then the button is not visible any more.
        const button = await notice.getByRole('button', { name: 'Try now' }).elementHandle();
        feed.isDown = false;
        await button?.evaluate('element => element.click()');
        await side('left').locator('.dots i[data-state="logged-out"]').nth(2).waitFor();
        expect(await side('left').locator('.dots i').count()).to.equal(3);
        expect(await notice.isVisible()).to.equal(false);
      });
    });

    it('never with a token of another run', async () => {
      await withLivePage(browser, {}, async ({ page, feed }) => {
        await page.goto('about:blank');
        await page.goto(`${feed.origin}/#another`);
        await page.getByText('This address belongs to another run.').waitFor();
        expect(feed.connections).to.have.length(1);
      });
    });

    it('never after the end, also when the connection breaks while the files are being written', async () => {
      await withLivePage(browser, {}, async ({ page, feed }) => {
        feed.push({ kind: 'over', reason: 'Ctrl-C.', files: [], isWriting: true });
        await page.getByText('The live lab has ended: Ctrl-C. It is writing its files.').waitFor();
        expect(await page.locator('#strike-bar').isVisible()).to.equal(false);
        feed.cut();
        await page.getByText('The live lab has ended: Ctrl-C. This page keeps its last state.').waitFor();
        expect(feed.connections).to.have.length(1);
      });
    });

    it('never after the end: it keeps the last state, and names the files', async () => {
      await withLivePage(browser, {}, async ({ page, feed, side }) => {
        feed.push({ kind: 'over', reason: 'Ctrl-C.', files: ['reports/live/1/report.html'] });
        await page.getByText('The live lab has ended: Ctrl-C. This page keeps its last state.').waitFor();
        expect(await side('left').locator('.dots i').count()).to.equal(settings.users);
        const notice = page.getByRole('alert').filter({ hasText: 'The live lab has written these files:' });
        expect(await notice.getByRole('listitem').allTextContents()).to.deep.equal(['reports/live/1/report.html']);
        expect(await page.locator('#strike-bar').isVisible()).to.equal(false);
        await page.getByRole('button', { name: 'Export' }).click();
        await page.getByRole('dialog').getByText('reports/live/1/report.html').waitFor();
        expect(feed.connections).to.have.length(1);
      });
    });
  });
});
