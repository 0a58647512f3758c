import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from '../chromium.js';
import { noCounts, sideView, usersIn } from './page-feed.js';
import { killOfTwo, withLivePage } from './with-live-page.js';

const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

describe('the accessibility of the page of the live lab', function () {
  this.timeout(30_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [390, 1280]) {
      it(`has no violation, ${colorScheme}, at ${width} px, in the page and in each dialog`, async () => {
        const left = {
          strikes: [killOfTwo],
          counts: { ...noCounts, loggedOut: 4, exposed: 9, missing: 3, lost: 1, swapped: 1 },
          users: [...usersIn('in', 9), { name: 'user-10', state: 'someone-else', member: 'backend-1' } as const],
          members: sideView('sticky').members.map(member =>
            member.name === 'backend-2' ? ({ ...member, state: 'dead' } as const) : member,
          ),
        };
        await withLivePage(
          browser,
          { left },
          async ({ page }) => {
            // axe-core needs eval, which the policy of the page forbids.
            const developer = await page.context().newCDPSession(page);
            await developer.send('Page.setBypassCSP', { enabled: true });
            await page.evaluate(`${axe};0`);
            await page.getByText('Users as a table').click();
            await page.getByRole('region', { name: 'Users, left' }).waitFor();
            expect(await findViolations(page)).to.deep.equal([]);
            for (const key of ['m', 'e', '?']) {
              await page.keyboard.type(key);
              await page.getByRole('dialog').waitFor();
              expect(await findViolations(page), key).to.deep.equal([]);
              await page.keyboard.press('Escape');
            }
            await page.locator('h1').click();
            await page.keyboard.press(' ');
            expect(await findViolations(page), 'paused').to.deep.equal([]);
          },
          { colorScheme, viewport: { width, height: 800 } },
        );
      });
    }
  }
});

async function findViolations(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ id, impact, nodes }) => impact + ' ' + id + ': ' + nodes[0].target.join(' ')))`);
}
