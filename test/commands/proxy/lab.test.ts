/** `holdfast proxy` as a person uses it: a browser on the page, `kill -9` by the process ids of the printed table. */
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { itAtOnce } from '../../at-once.js';
import { logIn, withPage } from '../../backends/with-browser.js';
import { launchChromium } from '../../chromium.js';
import { type Holdfast, until, withHoldfast } from '../holdfast.js';

describe('holdfast proxy: a lab to kill by hand', function () {
  this.timeout(60_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });

  after(() => browser.close());

  itAtOnce({
    'sticky: its backend takes the session with it, the proxy does not': () =>
      withLab('sticky', browser, async (lab, page) => {
        const bound = (await page.locator('#backend').textContent()) ?? '';
        kill(lab, bound);
        await happened(
          page,
          new RegExp(`^${bound} died and took your session with it: .*Your cart with 1 item is gone`),
        );
        await lab.sees(`${bound} ended (SIGKILL); starting it again in 3 s`);
        await lab.sees(`${bound} runs again, process`);
        await fillCart(page);
        kill(lab, 'proxy');
        await happened(page, /^The proxy does not answer\. Your cookie is still in this browser/);
        await lab.sees('proxy runs again, process');
        await happened(page, /^The proxy answers again\. You are still logged in, and nothing is lost\.$/);
        expect(await cart(page)).to.deep.equal(['bread']);
      }),

    'redis: a backend and the proxy cost nothing, Redis costs everything': () =>
      withLab('redis', browser, async (lab, page) => {
        kill(lab, 'backend-2');
        await lab.sees('backend-2 runs again, process');
        expect(await cart(page)).to.deep.equal(['bread']);
        kill(lab, 'proxy');
        await happened(page, /^The proxy does not answer\./);
        await happened(page, /^The proxy answers again\. You are still logged in, and nothing is lost\.$/);
        expect(await cart(page)).to.deep.equal(['bread']);
        kill(lab, 'redis');
        await happened(page, /^Redis does not answer\. You are not logged out/);
        await happened(
          page,
          /^Redis came back empty: your session and your cart with 1 item are lost\. Please log in again/,
        );
        await fillCart(page);
      }),
  });
});

/** Resolves when the work has ended and Ctrl-C has left nothing behind. */
async function withLab(
  mode: string,
  browser: Browser,
  work: (lab: Holdfast, page: Page) => Promise<void>,
): Promise<void> {
  const args = ['proxy', '--mode', mode, '--backends', '2', '--port', '0', '--admin-port', '0'];
  await withHoldfast([...args, '--health-interval', '300ms'], async lab => {
    await lab.sees('Ctrl-C here stops everything');
    const [, url = ''] = /open (http:\S+) in a browser/.exec(lab.output.stdout) ?? [];
    await withPage(browser, url, async ({ page, complaints }) => {
      await fillCart(page);
      await work(lab, page);
      expect(complaints).to.deep.equal([]);
    });
    lab.child.kill('SIGINT');
    expect(await lab.ended(), lab.output.stderr).to.equal(130);
    expect(await lab.children()).to.deep.equal([]);
    expect(await lab.temporaryFiles()).to.deep.equal([]);
  });
}

function kill({ output }: Holdfast, name: string): void {
  const row = new RegExp(`${name}\\s+│\\s+(\\d+)`).exec(output.stdout);
  if (row === null) throw new Error(`no process id of ${name} in:\n${output.stdout}`);
  process.kill(Number(row[1]), 'SIGKILL');
}

async function fillCart(page: Page): Promise<void> {
  await logIn(page);
  await page.getByRole('button', { name: 'Add bread' }).click();
  await until(
    async () => (await cart(page)).includes('bread'),
    12_000,
    () => 'bread in the cart',
  );
}

/** Resolves when any line of the page's log matches. It need not be the newest: another event may have followed. */
async function happened(page: Page, sentence: RegExp): Promise<void> {
  const told = page.locator('#log span');
  await until(
    async () => (await told.allTextContents()).some(line => sentence.test(line)),
    15_000,
    () => String(sentence),
  ).catch(async () => expect(await told.allTextContents()).to.contain(String(sentence)));
}

function cart(page: Page): Promise<string[]> {
  return page.locator('#cart li span').allTextContents();
}
