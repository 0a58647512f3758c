import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from '../chromium.js';
import { withRedis } from '../sessions/with-redis.js';
import { hide, logIn, story, withPage } from './with-browser.js';
import { withProxy } from './with-proxy.js';
import { type Settings, type ShopProcess, withShop } from './with-shop.js';

describe('shop: the page behind the proxy', () => {
  let browser: Browser;

  before(async function () {
    this.timeout(30_000);
    browser = await launchChromium();
  });

  after(() => browser.close());

  it('sticky: its backend dies and the session is lost', () =>
    withTwo({}, shops =>
      withProxy(shops, { sticky: true }, ({ url }) =>
        withPage(browser, url, async ({ page, complaints }) => {
          await logIn(page);
          await page.getByRole('button', { name: 'Add bread' }).click();
          await story(page, /^Bread was added/);
          const bound = await answering(page);
          shopOf(shops, bound).signal('SIGKILL');
          await story(
            page,
            new RegExp(
              `^${bound} died and took your session with it: .* Your cart with 1 item is gone\\. Please log in`,
            ),
          );
          expect(await answering(page)).not.to.equal(bound);
          await logIn(page);
          await story(page, /^You are logged in as anna/);
          expect(complaints).to.deep.equal([]);
        }),
      ),
    ));

  it('redis: a backend dies, and its silence is the only visible effect', function () {
    this.timeout(30_000);
    return withRedis(redis =>
      withTwo({ HOLDFAST_MODE: 'redis', REDIS_URL: redis.url }, shops =>
        withProxy(shops, { sticky: false }, ({ url }) =>
          withPage(browser, url, async ({ page, complaints }) => {
            await logIn(page);
            await page.getByRole('button', { name: 'Add bread' }).click();
            await happened(page, /^backend-\d answered this time and knows you as well/);
            await happened(page, /^Bread was added/);
            shopOf(shops, 'backend-1').signal('SIGKILL');
            await story(page, /^backend-1 answered none of the last 6 requests; the others still know you/);
            expect(await page.locator('#cart li span').allTextContents()).to.deep.equal(['bread']);
            expect(complaints).to.deep.equal([]);
          }),
        ),
      ),
    );
  });

  it('the proxy dies and comes back: the new one accepts the cookie', () =>
    withTwo({}, shops =>
      withProxy(shops, { sticky: true }, proxy =>
        withPage(browser, proxy.url, async ({ page }) => {
          await logIn(page);
          await story(page, /^You are logged in/);
          await proxy.close(0);
          await story(page, /^The proxy does not answer\. Your cookie is still in this browser/);
          await withProxy(shops, { sticky: true, port: Number(new URL(proxy.url).port) }, async () => {
            await story(page, /^The proxy answers again\. You are still logged in, and nothing is lost\.$/);
          });
        }),
      ),
    ));

  it('reports a write without an answer as unknown, and a write that was never sent as not done', () =>
    withShop({}, shop =>
      // The write must be in flight before the health checks notice the outage, however slow the browser is.
      withProxy([shop], { sticky: true, probeMs: 2000 }, ({ url }) =>
        withPage(browser, url, async ({ page, complaints }) => {
          await logIn(page);
          // The page is hidden meanwhile: a poll that reaches the stopped shop first would warn the proxy before the
          // write.
          await hide(page, true);
          await page.getByRole('button', { name: 'Add coffee' }).click();
          await happened(page, /^Coffee was added/);
          // The page reads the cart after each change. If that request were still open, it would delay the write.
          await page.getByRole('button', { name: 'Remove coffee' }).waitFor();
          shop.signal('SIGSTOP');
          await page.getByRole('button', { name: 'Add bread' }).click();
          await happened(page, /^It is unknown whether bread was added/);
          await page.getByRole('button', { name: 'Add rope' }).click();
          await happened(page, /^Rope was not added: no backend could be reached, and nothing was sent/);
          shop.signal('SIGCONT');
          await hide(page, false);
          await happened(page, /^A backend answers again\. You are still logged in/);
          expect(complaints).to.deep.equal([]);
        }),
      ),
    ));
});

function withTwo<T>(settings: Settings, work: (shops: readonly ShopProcess[]) => Promise<T>): Promise<T> {
  return withShop({ ...settings, BACKEND_ID: 'backend-1' }, one =>
    withShop({ ...settings, BACKEND_ID: 'backend-2' }, two => work([one, two])),
  );
}

async function answering(page: Page): Promise<string> {
  return (await page.locator('#backend').textContent()) ?? '';
}

function shopOf(shops: readonly ShopProcess[], backend: string): ShopProcess {
  const shop = shops[Number(backend.at(-1)) - 1];
  if (shop === undefined) throw new Error(`no shop is called ${backend}`);
  return shop;
}

/** Resolves when a line of the page's log matches. */
async function happened(page: Page, sentence: RegExp): Promise<void> {
  await page
    .locator('#log span')
    .filter({ hasText: sentence })
    .first()
    .waitFor({ timeout: 15_000 })
    .catch(async () => {
      const log = await page.locator('#log span').allTextContents();
      throw new Error(`not told: ${sentence}; the log, newest first:\n${log.join('\n')}`);
    });
}
