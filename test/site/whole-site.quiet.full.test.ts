import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Browser, BrowserContext, BrowserContextOptions, Frame, Page } from 'playwright-core';
import type { ModeName } from '#src/modes.js';
import { packageFile } from '#src/shared/package.js';
import { writeHistory } from '#src/simulator/history/file.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { launchChromium } from '../chromium.js';
import { readCounters } from '../live/with-live-page.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';

const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const replays = { 'kill-one': ['sticky', 'redis'], 'redis-failover': ['redis', 'sealed'] } as const;

describe('the whole site, opened from disk', function () {
  this.timeout(60_000);
  let folder: string;
  let site: string;
  let pages: readonly string[];
  let browser: Browser;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'holdfast-site-test-'));
    site = path.join(folder, 'site');
    for (const [name, modes] of Object.entries(replays))
      await saveHistory(path.join(folder, name, 'latest'), name, modes);
    const words = [packageFile('scripts/site/build.mjs'), '--replay-from', folder, '--out', site];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    expect([status, stderr]).to.deep.equal([0, '']);
    pages = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.html'));
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a browser without a network. Fails when a page writes an error, or asks for anything but a file. */
  async function withBrowser(options: BrowserContextOptions, work: (page: Page) => Promise<unknown>): Promise<void> {
    const context: BrowserContext = await browser.newContext({ offline: true, ...options });
    const complaints: string[] = [];
    try {
      const page = await context.newPage();
      const complain = (text: string) => complaints.push(`${page.url()}: ${text}`);
      page.on('console', message => ['error', 'warning'].includes(message.type()) && complain(message.text()));
      page.on('pageerror', error => complain(String(error)));
      page.on('requestfailed', request => complain(`failed: ${request.url()}`));
      page.on('request', request => /^(file|data):/.test(request.url()) || complain(request.url()));
      await work(page);
      expect(complaints).to.deep.equal([]);
    } finally {
      await context.close();
    }
  }

  const addressOf = (url: string) => pathToFileURL(path.join(site, url)).href;

  it('has a page for each page of docs/, for the front page, and for the tables of conformance and liars', () => {
    const docs = readdirSync(packageFile('docs'), { recursive: true, encoding: 'utf8' });
    const wanted = docs
      .filter(file => file.endsWith('.md'))
      .map(file => `docs/${file.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html')}`);
    expect(pages).to.include.members([...wanted, 'index.html', 'CHANGELOG.html', 'scenarios/kill-one.yaml.html']);
    expect(wanted).to.include.members(['docs/conformance.html', 'docs/conformance/nginx.html', 'docs/liars.html']);
  });

  it('has no link that leads nowhere', () => {
    const ids = new Map(pages.map(page => [page, new Set(attributesOf(page, 'id'))]));
    const wrong = pages.flatMap(page =>
      [...attributesOf(page, 'href'), ...attributesOf(page, 'src')]
        .filter(link => !/^(https?|data):/.test(link))
        .filter(link => {
          const [place = '', anchor = ''] = link.split('#').map(decodeURIComponent);
          const file = place === '' ? page : path.posix.join(path.posix.dirname(page), place);
          return !existsSync(path.join(site, file)) || (anchor !== '' && !ids.get(file)?.has(anchor));
        })
        .map(link => `${page}: ${link}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  function attributesOf(page: string, name: string): string[] {
    // The report of a run makes its links by program.
    const html = readFileSync(path.join(site, page), 'utf8').replaceAll(/<(script|style)\b.*?<\/\1>/gs, '');
    return [...html.matchAll(new RegExp(` ${name}="([^"]*)"`, 'g'))].map(([, value = '']) =>
      value.replaceAll('&amp;', '&'),
    );
  }

  it('opens every page at 390 px without an error, a request elsewhere, or anything wider than the page', async () => {
    const options = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const;
    await withBrowser(options, async page => {
      for (const url of pages) {
        await page.goto(addressOf(url));
        expect(await page.title(), url).to.match(/\S/);
        const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        expect(wide, `${url} is wider than the window`).to.be.at.most(0);
      }
    });
  });

  it('gives each page a title and a description of its own, and no script but the one of a replay', () => {
    const own = pages.filter(page => !page.startsWith('replays/'));
    const heads = own.map(page => {
      const html = readFileSync(path.join(site, page), 'utf8');
      expect(html, page).not.to.include('<script');
      expect(html, page).to.match(/<meta name="description" content="[^"]{20,}">/);
      return /<title>(.*)<\/title>/.exec(html)?.[1];
    });
    expect(heads.filter((title, index) => heads.indexOf(title) !== index)).to.deep.equal([]);
  });

  for (const [colorScheme, width, shown] of [
    ['light', 1500, ['index', 'docs/conformance', 'LICENSE', 'replays/kill-one']],
    ['dark', 390, ['index', 'docs/live', 'examples/express/index', 'replays/redis-failover']],
  ] as const) {
    it(`is accessible, ${colorScheme}, at ${width} px`, async () => {
      const options = { viewport: { width, height: 900 }, colorScheme, bypassCSP: true } as const;
      await withBrowser(options, async page => {
        for (const url of shown) {
          await page.goto(addressOf(`${url}.html`));
          await page.evaluate('document.querySelectorAll("details").forEach(each => { each.open = true })');
          expect(await findViolations(page), url).to.deep.equal([]);
        }
      });
    });
  }

  for (const [name, modes] of Object.entries(replays)) {
    it(`plays ${name} by its own clock, and ends with the counters of its report`, async () => {
      await withBrowser({ viewport: { width: 1280, height: 900 } }, async page => {
        await page.clock.install();
        await page.goto(addressOf(`replays/${name}.html`));
        await page.getByRole('button', { name: 'Pause' }).waitFor();
        await page.clock.runFor(2_000);
        await page.clock.fastForward(30_000);
        await page.clock.runFor(500);
        await page.getByRole('button', { name: 'Play again' }).waitFor();
        await expectCountersOfReport(page, name, modes);
        expect(await page.locator('.sentence').first().textContent()).to.match(/ was (killed|promoted) /);
      });
    });
  }

  it('moves in time by the keyboard, and tells the story of a user', async () => {
    await withBrowser({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' }, async page => {
      await page.goto(addressOf('replays/kill-one.html'));
      const time = page.getByRole('slider', { name: 'Time of the run' });
      // Without the wish for less motion it plays at once.
      await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
      await time.press('End');
      await expectCountersOfReport(page, 'kill-one', replays['kill-one']);
      await time.press('Home');
      await page.getByText('Nothing is broken.').first().waitFor();
      expect(await readCounters(page.locator('[data-side="left"]'))).to.include({ loggedOut: 0, acknowledged: 0 });
      await time.press('End');
      await page.getByText('Users as a table').click();
      await page.getByLabel('The left side').locator('.dots i[data-state]').first().click();
      await page.getByRole('dialog').getByText('the whole story of').waitFor();
    });
  });

  it('shows no control that a recording cannot have', async () => {
    await withBrowser({ viewport: { width: 1280, height: 900 } }, async page => {
      await page.goto(addressOf('replays/kill-one.html'));
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      const buttons = await page.locator('button:visible, input:visible, select:visible:enabled').all();
      const names = await Promise.all(
        buttons.map(async button => (await button.getAttribute('aria-label')) ?? (await button.getAttribute('id'))),
      );
      expect(names).to.have.members(['play', 'Time of the run', 'speed', 'help']);
      await page.getByLabel('left: answers per second, faults and losses of the run').waitFor();
      await page.keyboard.press('m');
      await page.keyboard.press('e');
      expect(await page.getByRole('dialog').count()).to.equal(0);
      await page.keyboard.press('?');
      expect(await page.locator('.keys > div:visible dt').allTextContents()).to.deep.equal(['space', '?']);
    });
  });

  it('plays both runs on the front page, each when it is seen', async () => {
    await withBrowser({ viewport: { width: 1280, height: 900 } }, async page => {
      await page.goto(addressOf('index.html'));
      expect(await page.locator('h1').textContent()).to.equal('Holdfast');
      expect(await page.locator('pre').first().textContent()).to.equal('npm start\n');
      for (const [index, name] of Object.keys(replays).entries()) {
        const place = page.locator('iframe').nth(index);
        await place.scrollIntoViewIfNeeded();
        const frame: Frame = (await (await place.elementHandle())?.contentFrame()) ?? expect.fail('no frame');
        await frame.getByRole('button', { name: 'Pause' }).waitFor();
        expect(frame.url()).to.equal(addressOf(`replays/${name}.html`));
        expect(await frame.locator('h1').isVisible()).to.equal(false);
      }
    });
  });

  async function expectCountersOfReport(page: Page, name: string, modes: readonly string[]): Promise<void> {
    const { runs }: Report = JSON.parse(readFileSync(path.join(site, 'replays', `${name}.json`), 'utf8'));
    for (const [index, side] of ['left', 'right'].entries()) {
      const run = runs.find(({ mode }) => mode === modes[index]) ?? expect.fail(`no run in mode ${modes[index]}`);
      const shown = await readCounters(page.locator(`[data-side="${side}"]`));
      const { users, writes, requests } = run;
      const expected = {
        loggedOut: users.loggedOut,
        exposed: users.exposed,
        failed: requests.failed,
        unknown: requests.unknown,
      };
      expect(shown, `${name} ${side}`).to.include(expected);
      expect(shown.lost ?? 0, `${name} ${side}`).to.equal(writes.lost);
      expect(shown.acknowledged ?? writes.acknowledged).to.equal(writes.acknowledged);
    }
    const isLossShown = runs.some(({ users, writes }) => users.loggedOut > 0 && writes.lost > 0);
    expect(isLossShown, 'a run without losses proves little').to.equal(true);
  }
});

interface Report {
  readonly runs: readonly {
    readonly mode: string;
    readonly users: { readonly loggedOut: number; readonly exposed: number };
    readonly writes: { readonly lost: number; readonly acknowledged: number };
    readonly requests: { readonly failed: number; readonly unknown: number };
  }[];
}

async function saveHistory(folder: string, name: string, modes: readonly ModeName[]): Promise<void> {
  const scenario = await readScenario(packageFile(`scenarios/${name}.yaml`));
  const plan = makePlan(scenario, 42);
  mkdirSync(folder, { recursive: true });
  const runs = await Promise.all(modes.map(mode => runInMemory(scenario, mode, plan)));
  await writeHistory(path.join(folder, 'history.ndjson'), runs);
}

async function findViolations(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`${axe};
    axe.run(document, { resultTypes: ['violations'], iframes: false, preload: false }).then(({ violations }) =>
      violations.map(({ id, impact, nodes }) => impact + ' ' + id + ': ' + nodes.map(({ target }) => target.join(' ')).join(', ')))`);
}
