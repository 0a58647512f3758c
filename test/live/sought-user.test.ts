import { expect } from 'chai';
import type { Browser, Locator, Page } from 'playwright-core';
import { logIn as fillInLogin } from '../backends/with-browser.js';
import { launchChromium } from '../chromium.js';
import { withHoldfast } from '../commands/holdfast.js';
import { addressOf } from '../commands/live-address.js';
import { usersIn } from './page-feed.js';
import { shortStory, withLivePage } from './with-live-page.js';

const marks = (page: Page) => page.locator('.dots b');
const notice = (page: Page) => page.getByRole('region', { name: 'The user that you look for' });

describe('the page of the live lab that is opened for one user', function () {
  this.timeout(60_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  it('marks its dots, keeps their shape, follows them, and opens the story on demand', async () => {
    await withLivePage(browser, {}, async ({ page, feed, side }) => {
      expect(await marks(page).count()).to.equal(0);
      await page.goto(`${feed.url}&user=user-5`);
      await notice(page).getByText('The dot of user-5 is marked on both sides.').waitFor();
      const left = side('left');
      expect(await placeOf(left.locator('b'))).to.deep.equal(await placeOf(left.locator('i[data-user="user-5"]')));
      feed.push({
        kind: 'frame',
        left: { nowMs: 30_100, users: [{ name: 'user-5', state: 'logged-out', member: 'backend-3' }] },
      });
      const dot = left.locator('.dots i[data-state="logged-out"]');
      await dot.waitFor();
      await page.evaluate('Promise.all(document.getAnimations().map(({ finished }) => finished)).then(() => 0)');
      expect(await placeOf(left.locator('b'))).to.deep.equal(await placeOf(dot));
      const shape = await page.evaluate(
        `getComputedStyle(document.querySelector('.dots i[data-state="logged-out"]')).clipPath`,
      );
      expect(shape).to.match(/^polygon/);

      feed.story = shortStory('user-5');
      await notice(page).getByRole('button', { name: 'Its story on the right' }).click();
      await page.getByRole('dialog', { name: 'redis: the whole story of user-5' }).waitFor();
      await page.keyboard.press('Escape');
      await notice(page).getByRole('button', { name: 'Close' }).click();
      expect(await marks(page).count()).to.equal(0);
      expect(page.url()).to.equal(feed.url);
    });
  });

  it('scrolls to the dot', async () => {
    await withLivePage(
      browser,
      {},
      async ({ page, feed, side }) => {
        const dot = side('left').locator('i[data-user="user-3"]');
        expect(await isOnScreen(page, dot)).to.equal(false);
        await page.goto(`${feed.url}&user=user-3`);
        await marks(page).first().waitFor();
        expect(await isOnScreen(page, dot)).to.equal(true);
      },
      { viewport: { width: 390, height: 300 } },
    );
  });

  it('says of a visitor that it has no dot, and marks the dot as soon as there is one', async () => {
    await withLivePage(browser, {}, async ({ page, feed }) => {
      await page.goto(`${feed.url}&user=<b>anna`);
      await notice(page).getByText('No simulated user is called <b>anna, so <b>anna has no dot.').waitFor();
      expect(await marks(page).count()).to.equal(0);
      await page.goto(`${feed.origin}/#user=user-13`);
      await notice(page).getByText('No simulated user is called user-13').waitFor();
      feed.push({ kind: 'frame', right: { nowMs: 30_100, users: usersIn('in', 13).slice(12) } });
      await notice(page).getByText('The dot of user-13 is marked on the right side.').waitFor();
      expect(await marks(page).count()).to.equal(1);
      expect(page.url()).to.equal(`${feed.url}&user=user-13`);
    });
  });

  it('gets the token from another page of the lab, also from one that is opened later, and from no page without it', async () => {
    await withLivePage(browser, {}, async ({ page, feed }) => {
      await page.goto(`${feed.origin}/#another`);
      await page.getByText('This address belongs to another run.').waitFor();
      const second = await page.context().newPage();
      await second.goto(`${feed.origin}/#user=user-2`);
      await second.getByText('This address has no token.').waitFor();
      await page.goto(feed.url);
      await notice(second).getByText('The dot of user-2 is marked on both sides.').waitFor();
      expect(await second.locator('#notice').isVisible()).to.equal(false);
      expect(second.url()).to.equal(`${feed.url}&user=user-2`);
    });
  });

  it('is reached from the shop of each side, and the shop from it, with a session of one’s own', () =>
    withHoldfast(['live', '--users', '8', '--backends', '1', '--port', '0'], async holdfast => {
      const { port, token } = await addressOf(holdfast);
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${port}/#${token}`);
      const left = await openShop(page, page.getByRole('link', { name: 'Open the shop of the left side' }));
      await logIn(left, 'anna');
      const right = await openShop(page, page.getByRole('link', { name: 'Open the shop of the right side' }));
      await logIn(right, 'bert');
      // The login on the right has left the session on the left alone.
      const answer = await left.waitForResponse(response => response.url().endsWith('/me'));
      expect(await answer.json()).to.include({ user: 'anna', mode: 'sticky' });
      expect((await left.content()) + (await right.content())).not.to.include(token);
      expect([left.url(), right.url()].join()).not.to.include(token);

      await left.getByRole('link', { name: 'Show anna in the live lab' }).click();
      await notice(left).getByText('No simulated user is called anna, so anna has no dot.').waitFor();
      await left.goto(`http://127.0.0.1:${port}/#user=user-1`);
      await notice(left).getByRole('button', { name: 'Its story on the left' }).click();
      const asUser = await openShop(left, left.getByRole('link', { name: 'Log in to the shop as user-1' }));
      expect(asUser.url()).to.match(/^http:\/\/127\.0\.0\.1:\d+\/#user=user-1$/);
      await asUser.getByRole('button', { name: 'Log out', exact: true }).click();
      expect(await asUser.getByLabel('Name').inputValue()).to.equal('user-1');
      await logIn(asUser, 'user-1');
      await asUser.getByRole('link', { name: 'Show user-1 in the live lab' }).click();
      await notice(asUser).getByText('The dot of user-1 is marked on both sides.').waitFor();
      await context.close();
    }));
});

async function logIn(shop: Page, user: string): Promise<void> {
  await fillInLogin(shop, 'secret', user);
  await shop.getByText(`Logged in as ${user}`, { exact: true }).waitFor();
}

/** Clicks a link, and returns the page in its new tab. */
async function openShop(page: Page, link: Locator): Promise<Page> {
  const [shop] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
  await shop.getByText('Which backend answered last').waitFor();
  return shop;
}

async function placeOf(element: Locator): Promise<readonly number[]> {
  const { x = 0, y = 0 } = (await element.boundingBox()) ?? {};
  return [Math.round(x), Math.round(y)];
}

async function isOnScreen(page: Page, element: Locator): Promise<boolean> {
  const { y, height } = (await element.boundingBox()) ?? expect.fail('it is not drawn');
  return y >= 0 && y + height <= (page.viewportSize()?.height ?? 0);
}
