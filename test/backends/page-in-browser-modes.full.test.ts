import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from '../chromium.js';
import { type ModeLab, startModeLab } from './mode-lab.js';
import { logIn, story, withPage } from './with-browser.js';
import { withShop } from './with-shop.js';

describe('shop: the page where the session is in the browser', function () {
  this.timeout(40_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });

  after(() => browser.close());

  for (const [mode, how] of [
    ['jwt', 'signed'],
    ['sealed', 'sealed'],
  ] as const) {
    it(`${mode}: shows where the session is, and that it survives a restart and an outage of Redis`, () =>
      withLab(mode, async lab => {
        const settings = lab.settings('backend-1');
        await withShop(settings, shop =>
          withPage(browser, shop.url, async ({ page, complaints }) => {
            await logIn(page);
            await story(
              page,
              new RegExp(`^You are logged in as anna\\. Your session is kept in this browser, ${how} by`),
            );
            expect(await page.locator('#where').textContent()).to.match(
              new RegExp(`^in this browser, ${how} by the shop, and every backend with the key can`),
            );
            await add(page, 'bread');
            shop.signal('SIGKILL');
            await story(page, /^The server does not answer\. Your cookie is still in this browser/);
            await withShop({ ...settings, PORT: String(shop.port) }, async () => {
              await story(page, /^The server answers again\. You are still logged in, and nothing is lost\.$/);
              await lab.server?.kill();
              await add(page, 'rope');
              await page.getByRole('button', { name: 'Log out', exact: true }).click();
              await story(page, /^You are still logged in, and nothing is lost: the session is in this browser/);
              expect(await page.locator('#cart li span').allTextContents()).to.deep.equal(['bread', 'rope']);
            });
            await withShop(
              { ...settings, PORT: String(shop.port), SHOP_SECRETS: `other:${'5e'.repeat(32)}` },
              async () => {
                await story(page, /knows no key that made your session's cookie: .* Your cart with 2 items is gone\./);
              },
            );
            expect(complaints).to.deep.equal([]);
          }),
        );
      }));

    it(`${mode}: explains why an item no longer fits into the cookie, and keeps the cart`, () =>
      withLab(mode, lab =>
        withShop(lab.settings('backend-1'), ({ url }) =>
          withPage(browser, url, async ({ page }) => {
            await logIn(page);
            await add(page, 'bread');
            const kept = await fill(page, url);
            await page.getByLabel('Another item').fill('x'.repeat(64));
            await page.getByLabel('Another item').press('Enter');
            await story(page, /^Xxx.* was not added: .* would hold \d+ bytes; at most \d+ are kept/);
            await page.locator('#cart li').nth(kept).waitFor();
            expect(await page.locator('#cart li').count()).to.equal(1 + kept);
          }),
        ),
      ));
  }
});

async function withLab(mode: 'jwt' | 'sealed', work: (lab: ModeLab) => Promise<void>): Promise<void> {
  const lab = await startModeLab(mode);
  try {
    await work(lab);
  } finally {
    await lab.stop();
  }
}

async function add(page: Page, sku: string): Promise<void> {
  await page.getByRole('button', { name: `Add ${sku}` }).click();
  await story(page, new RegExp(`^${sku} was added\\.$`, 'i'));
}

/** Adds items like another tab of the same browser. Resolves with the number of items that still fit. */
async function fill(page: Page, url: string): Promise<number> {
  for (let kept = 0; ; kept++) {
    const answer = await page.request.post(`${url}/cart`, { data: { sku: String(kept).padStart(64, 'x') } });
    if (!answer.ok()) return kept;
  }
}
