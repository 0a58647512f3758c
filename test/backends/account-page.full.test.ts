import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { toString as drawn } from 'qrcode';
import { DirectoryAccounts } from '#backends/accounts/accounts.js';
import { launchChromium } from '../chromium.js';
import { Authenticator } from './accounts/authenticator.js';
import { rewrite } from './accounts/shortcuts.js';
import { withDirectory } from './accounts/with-directory.js';
import { until } from './visitor.js';
import { logIn, story, withPage } from './with-browser.js';
import { type ShopProcess, withShop } from './with-shop.js';

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0';

describe('shop: the account on the page', () => {
  let browser: Browser;

  before(async function () {
    this.timeout(30_000);
    browser = await launchChromium();
  });

  after(() => browser.close());

  it('turns two-factor on and uses it, lists and ends another session, and changes the password', function () {
    this.timeout(40_000);
    return withAccounts({}, ({ url }, accounts) =>
      withPage(browser, url, async ({ page, complaints }) => {
        await logIn(page);
        const app = await turnOn(page);
        await rewrite(accounts, 'anna', { lastStep: 0 });
        await page.getByRole('button', { name: 'Log out', exact: true }).click();
        await story(page, /^You logged out/);
        await logIn(page);
        await story(page, /^The password is right\. Enter the code/);
        expect(await page.getByRole('button', { name: 'Log in' }).isVisible()).to.equal(false);
        await giveCode(page, app.wrongCode());
        await story(page, /^You were not logged in: wrong code/);
        await giveCode(page, app.code());
        await story(page, /^You are logged in as anna/);
        await rewrite(accounts, 'anna', { lastStep: 0 });
        await withPage(browser, url, async other => {
          await logIn(other.page);
          await giveCode(other.page, app.code());
          await story(other.page, /^You are logged in as anna/);
          await rewrite(accounts, 'anna', { lastStep: 0 });
          await endOther(page, app);
          await story(other.page, /^Your session was ended elsewhere\. Please log in again\.$/);
          await other.page.getByRole('button', { name: 'Log in' }).waitFor();
          expect(other.complaints).to.deep.equal([]);
        });
        await rewrite(accounts, 'anna', { lastStep: 0 });
        await prove(page, app.code());
        await page.getByLabel('New password').fill('correct horse');
        await page.getByRole('button', { name: 'Change' }).click();
        await story(page, /^Your password was changed\.$/);
        await rewrite(accounts, 'anna', { lastStep: 0 });
        await prove(page, app.code(), 'correct horse');
        await page.getByRole('button', { name: 'Log out everywhere' }).click();
        await story(page, /^You logged out/);
        await logIn(page);
        await story(page, /^You were not logged in: wrong name or password\.$/);
        await logIn(page, 'correct horse');
        await story(page, /^The password is right/);
        await page.getByRole('button', { name: 'Start over' }).click();
        await page.getByRole('button', { name: 'Log in' }).waitFor();
        expect(complaints).to.deep.equal([]);
      }),
    );
  });

  it('sends no sensitive request without the password, and reports a wrong one', () =>
    withAccounts({}, ({ url }) =>
      withPage(browser, url, async ({ page, complaints }) => {
        await logIn(page);
        for (const name of ['Turn on two-factor login', 'Log out everywhere', 'Log out my other sessions']) {
          await page.getByRole('button', { name }).click();
          expect(await page.evaluate('document.activeElement.id')).to.equal('proof-password');
          await page.evaluate('document.activeElement.blur()');
        }
        await prove(page, undefined, 'wrong');
        await page.getByRole('button', { name: 'Turn on two-factor login' }).click();
        await story(page, /^The key for your authenticator app was not made: wrong password\.$/);
        expect(await page.locator('#name').textContent()).to.equal('anna');
        expect(complaints).to.deep.equal([]);
      }),
    ));

  it('asks once more before it shows a logout: the first answer may have been overtaken by a new token', () =>
    withAccounts({}, ({ url }) =>
      withPage(browser, url, async ({ page, complaints }) => {
        await logIn(page);
        await story(page, /^You are logged in as anna/);
        const overtaken = { user: null, why: 'unknown' };
        const headers = { 'holdfast-backend': 'backend-1' };
        let asked = 0;
        await page.route('**/{me,cart}', route =>
          asked++ < 1 ? route.fulfill({ status: 401, headers, json: overtaken }) : route.continue(),
        );
        await until(async () => asked > 2);
        expect(await page.locator('#log').textContent()).not.to.contain('log in again');
        expect(await page.locator('#name').textContent()).to.equal('anna');
        expect(complaints).to.deep.equal([]);
      }),
    ));

  it('logs a disabled user out without telling why', () =>
    withAccounts({ SHOP_ADMIN_PASSWORD: 'of the administrator' }, ({ url }) =>
      withPage(browser, url, anna =>
        withPage(browser, url, async ({ page, complaints }) => {
          await logIn(anna.page);
          await story(anna.page, /^You are logged in as anna/);
          expect(await anna.page.getByText('Administration').isVisible()).to.equal(false);
          await logIn(page, 'of the administrator', 'admin');
          await page.getByText('Administration').waitFor();
          await page.getByLabel('User', { exact: true }).fill('anna');
          await prove(page, undefined, 'of the administrator');
          await page.getByRole('button', { name: 'Disable' }).click();
          await story(page, /^User anna was disabled\.$/);
          await story(anna.page, /^Your session was ended elsewhere\. Please log in again\.$/);
          await logIn(anna.page);
          await story(anna.page, /^You were not logged in: wrong name or password\.$/);
          expect([...complaints, ...anna.complaints]).to.deep.equal([]);
        }),
      ),
    ));

  it('asks another browser with the same cookie to log in', () =>
    withAccounts({}, ({ url }) =>
      withPage(browser, url, async ({ page }) => {
        await logIn(page);
        await story(page, /^You are logged in/);
        const storageState = await page.context().storageState();
        await withPage(
          browser,
          url,
          async thief => {
            await story(thief.page, /^Your session was begun in another browser than this one/);
            await thief.page.getByRole('button', { name: 'Log in' }).waitFor();
          },
          { storageState, userAgent: firefox },
        );
      }),
    ));

  it('fits a narrow window, in light and dark, and every field has a name', () =>
    withAccounts({ SHOP_ADMIN_PASSWORD: 'secret' }, async ({ url }) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const narrow = { viewport: { width: 320, height: 700 }, colorScheme };
        await withPage(
          browser,
          url,
          async ({ page }) => {
            await logIn(page, 'secret', 'admin');
            await beginTurningOn(page);
            expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(320);
            const nameless =
              '[...document.querySelectorAll("input:not([hidden])")].filter(each => !each.labels.length)';
            expect(await page.evaluate(`${nameless}.map(each => each.id)`)).to.deep.equal([]);
          },
          narrow,
        );
      }
    }));
});

function withAccounts<T>(
  settings: Readonly<Record<string, string>>,
  work: (shop: ShopProcess, accounts: DirectoryAccounts) => Promise<T>,
): Promise<T> {
  return withDirectory(directory =>
    withShop({ ...settings, SHOP_ACCOUNTS: directory }, shop => work(shop, new DirectoryAccounts(directory))),
  );
}

async function prove(page: Page, code?: string, password = 'secret'): Promise<void> {
  await page.getByLabel('Your password').fill(password);
  if (code !== undefined) await page.locator('#proof-code-field').fill(code);
}

/** Reads the secret of the enrolment. An authenticator scans the picture, and the page has the same URI as a link. */
async function beginTurningOn(page: Page): Promise<Authenticator> {
  await page.getByLabel('Your password').waitFor();
  await prove(page);
  await page.getByRole('button', { name: 'Turn on two-factor login' }).click();
  const uri = (await page.getByRole('link', { name: 'open it' }).getAttribute('href')) ?? '';
  const [, picture = ''] = ((await page.locator('#picture').getAttribute('src')) ?? '').split(',');
  const scanned = await drawn(uri, { type: 'svg', errorCorrectionLevel: 'M' });
  expect(Buffer.from(picture, 'base64').toString()).to.equal(scanned);
  expect(await page.evaluate('document.getElementById("picture").naturalWidth')).to.be.greaterThan(0);
  return Authenticator.fromUri(uri);
}

async function turnOn(page: Page): Promise<Authenticator> {
  const app = await beginTurningOn(page);
  expect((await page.locator('#key').textContent())?.replaceAll(' ', '')).to.equal(app.secret);
  expect(await page.evaluate('document.activeElement.id')).to.equal('enrol-code');
  await page.keyboard.type(app.code());
  await page.keyboard.press('Enter');
  await story(page, /^Two-factor login was turned on\.$/);
  await page.getByRole('button', { name: 'Turn off two-factor login' }).waitFor();
  expect(await page.content()).not.to.contain(app.secret);
  return app;
}

async function giveCode(page: Page, code: string): Promise<void> {
  await page.locator('#login-code').fill(code);
  await page.getByRole('button', { name: 'Continue' }).click();
}

async function endOther(page: Page, app: Authenticator): Promise<void> {
  const lines = page.locator('#sessions li');
  await lines.nth(1).waitFor();
  expect(await lines.filter({ hasText: 'this browser' }).count()).to.equal(1);
  for (const line of await lines.all())
    expect(await line.textContent()).to.match(/127\.0\.0\.1, Mozilla\/5\.0 .*Chrome/);
  await prove(page, app.code());
  await lines.getByRole('button', { name: /^Log out session [0-9a-f]{6}$/ }).click();
  await story(page, /^Session [0-9a-f]{6} was logged out\.$/);
  await lines.nth(1).waitFor({ state: 'detached' });
}
