import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../chromium.js';
import { withRedis } from '../sessions/with-redis.js';
import { until, Visitor } from './visitor.js';
import { hide, logIn, story, withPage } from './with-browser.js';
import { withShop } from './with-shop.js';

describe('shop: the page', () => {
  let browser: Browser;

  before(async function () {
    this.timeout(30_000);
    browser = await launchChromium();
  });

  after(() => browser.close());

  it('logs in, adds, removes and logs out', () =>
    withShop({ BACKEND_ID: 'backend-2' }, ({ url }) =>
      withPage(browser, url, async ({ page, complaints }) => {
        await logIn(page);
        await story(page, /^You are logged in as anna. Your session is kept in the memory of backend-2\.$/);
        await page.getByRole('button', { name: 'Add bread' }).click();
        await story(page, /^Bread was added\.$/);
        await page.getByRole('button', { name: 'Add bread' }).click();
        await story(page, /^Bread was added: you have 2 now\.$/);
        await page.getByLabel('Another item').fill('__proto__');
        await page.getByLabel('Another item').press('Enter');
        await story(page, /^__proto__ was added\.$/);
        await page.getByRole('button', { name: 'Remove __proto__' }).waitFor();
        expect(await page.locator('#cart li span').allTextContents()).to.deep.equal(['2 × bread', '__proto__']);
        await page.getByRole('button', { name: 'Remove bread' }).click();
        await story(page, /^Bread was removed\.$/);
        await page.getByRole('button', { name: 'Remove bread' }).waitFor({ state: 'detached' });
        expect(await page.locator('#cart li span').allTextContents()).to.deep.equal(['__proto__']);
        expect(await page.locator('#backend').textContent()).to.equal('backend-2');
        expect(await page.locator('#mode').textContent()).to.equal('sticky');
        const { headers } = await new Visitor(url).get('/health');
        expect(headers.get('holdfast-incarnation')).to.contain(await page.locator('#boot').textContent());
        await page.getByRole('button', { name: 'Log out', exact: true }).click();
        await story(page, /^You logged out/);
        await page.getByRole('button', { name: 'Log in' }).waitFor();
        expect(await page.locator('#log li').count()).to.be.at.least(6);
        expect(complaints).to.deep.equal([]);
      }),
    ));

  it('explains a refused login', () =>
    withShop({}, ({ url }) =>
      withPage(browser, url, async ({ page }) => {
        await logIn(page, 'wrong');
        await story(page, /^You were not logged in: wrong name or password\.$/);
      }),
    ));

  it('sticky: reports a dead server, and the session that its restart lost', () =>
    withShop({ BACKEND_ID: 'backend-2' }, shop =>
      withPage(browser, shop.url, async ({ page, complaints }) => {
        await logIn(page);
        await page.getByRole('button', { name: 'Add bread' }).click();
        await story(page, /^Bread was added/);
        shop.signal('SIGKILL');
        await story(page, /^The server does not answer\. Your cookie is still in this browser/);
        await page.getByRole('button', { name: 'Add rope' }).click();
        await story(page, /^It is unknown whether rope was added/);
        await withShop({ BACKEND_ID: 'backend-2', PORT: String(shop.port) }, async () => {
          await story(
            page,
            /^backend-2 was restarted: its memory is empty.* Your cart with 1 item is gone\. Please log in again\.$/,
          );
          await page.getByRole('button', { name: 'Log in' }).waitFor();
          expect(complaints).to.deep.equal([]);
        });
      }),
    ));

  it('redis: reports that a restarted server knows the session, and that Redis died and came back empty', function () {
    this.timeout(40_000);
    return withRedis(async redis => {
      const settings = { HOLDFAST_MODE: 'redis', REDIS_URL: redis.url };
      await withShop(settings, shop =>
        withPage(browser, shop.url, async ({ page, complaints }) => {
          await logIn(page);
          await story(page, /Your session is kept in Redis\.$/);
          await page.getByRole('button', { name: 'Add bread' }).click();
          await story(page, /^Bread was added/);
          shop.signal('SIGKILL');
          await story(page, /^The server does not answer/);
          await withShop({ ...settings, PORT: String(shop.port) }, async () => {
            await story(page, /^The server answers again\. You are still logged in, and nothing is lost\.$/);
            await page.getByRole('button', { name: 'Remove bread' }).waitFor();
            expect(await page.locator('#cart li span').allTextContents()).to.deep.equal(['bread']);
            await redis.kill();
            await story(page, /^Redis does not answer\. You are not logged out/);
            await redis.restart();
            await story(
              page,
              /^Redis came back empty: your session and your cart with 1 item are lost\. Please log in again\.$/,
            );
            expect(complaints).to.deep.equal([]);
          });
        }),
      );
    });
  });

  it('distinguishes a hung server from a dead one', () =>
    withShop({}, shop =>
      withPage(browser, shop.url, async ({ page }) => {
        await logIn(page);
        await story(page, /^You are logged in/);
        shop.signal('SIGSTOP');
        await story(page, /^No answer came in time: the server hangs\. Your cookie is still in this browser/);
        shop.signal('SIGCONT');
        await story(page, /^The server answers again\. You are still logged in, and nothing is lost\.$/);
      }),
    ));

  it('polls every second, pauses while hidden, and polls at once when visible again', () =>
    withShop({}, ({ url }) =>
      withPage(browser, url, async ({ page }) => {
        const looks = () => page.locator('#turns li').count();
        await until(async () => (await looks()) >= 3);
        await hide(page, true);
        const before = await looks();
        await delay(2_200);
        expect(await looks()).to.be.at.most(before + 1);
        const hidden = await looks();
        await hide(page, false);
        await until(async () => (await looks()) > hidden);
      }),
    ));

  it('reports the cart of another user', () =>
    withShop({ SHOP_DEFECT: 'foreign-cart' }, async ({ url }) => {
      const berta = await new Visitor(url).logIn('berta');
      await berta.add('lantern');
      await berta.skus();
      await withPage(browser, url, async ({ page }) => {
        await logIn(page);
        await page.getByRole('button', { name: 'Add bread' }).click();
        await page
          .getByText(/The shop now calls you berta, and you were anna\./)
          .first()
          .waitFor();
      });
    }));
});
