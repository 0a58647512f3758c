import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { reporters } from '#src/report/reporters/registry.js';
import type { JudgedRun } from '#src/simulator/verdict.js';
import { launchChromium } from '../chromium.js';
import { sampleRun, sampleRuns } from './sample-runs.js';

interface Look {
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
  readonly runs?: readonly JudgedRun[];
}

interface Opened {
  readonly page: Page;
  /** Everything that the page complained about, and every address but its own that it asked for. */
  readonly trouble: readonly string[];
}

describe('the html report in a real browser', function () {
  this.timeout(30_000);
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  it('opens from disk, fetches nothing, complains of nothing, and draws every lane', async () => {
    await withReport(browser, {}, async ({ page, trouble }) => {
      expect(trouble).to.deep.equal([]);
      const figures = await page.locator('figure.timeline').count();
      expect(figures).to.equal(2);
      const plots = await page.locator('figure.timeline >> nth=0').locator('svg.plot').all();
      expect(plots).to.have.length(9);
      for (const plot of plots) expect(await coloursIn(page, await plot.screenshot())).to.be.greaterThan(3);
    });
  });

  it('aligns the plots of all lanes', async () => {
    await withReport(browser, {}, async ({ page }) => {
      const edges = await page
        .locator('svg.plot')
        .evaluateAll(plots =>
          plots.map(plot => plot.getBoundingClientRect()).map(({ left, right }) => `${left} ${right}`),
        );
      expect(new Set(edges).size).to.equal(1);
    });
  });

  it('moves one cursor over all lanes of its figure, by pointer, and says what happened there', async () => {
    await withReport(browser, {}, async ({ page }) => {
      const figure = page.locator('figure.timeline').first();
      const losses = figure.getByRole('img', { name: /writes lost/ });
      await losses.hover({ position: { x: 400, y: 30 } });
      const cursor = figure.locator('.cursor');
      const [line, lanes] = [await cursor.boundingBox(), await figure.locator('.lanes').boundingBox()];
      expect(line?.height).to.be.closeTo(lanes?.height ?? 0, 2);
      const plot = await losses.boundingBox();
      expect(Math.abs((line?.x ?? 0) - ((plot?.x ?? 0) + 400))).to.be.lessThan(10);
      expect(await figure.locator('output').textContent()).to.match(/^\d\.\d s: \d+ ok, \d+ failed.*users? logged out/);
      expect(await page.locator('figure.timeline >> nth=1').locator('.cursor').isVisible()).to.equal(false);
    });
  });

  it('moves the cursor by keyboard', async () => {
    await withReport(browser, {}, async ({ page }) => {
      const slider = page.getByRole('slider', { name: 'Moment of the run (sticky)' });
      await slider.focus();
      for (let step = 0; step < 26; step += 1) await page.keyboard.press('ArrowRight');
      const text = await page.locator('output').first().textContent();
      expect(text)
        .to.match(/^2\.6 s: /)
        .and.include('fault: kill backend-2')
        .and.include('backend-2 dead');
      expect(await slider.getAttribute('aria-valuetext')).to.equal(text);
    });
  });

  it('is light or dark as the reader wishes, and light on paper', async () => {
    const background = (page: Page) => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    await withReport(browser, { colorScheme: 'light' }, async ({ page }) => {
      expect(await background(page)).to.equal('rgb(255, 255, 255)');
    });
    await withReport(browser, { colorScheme: 'dark' }, async ({ page }) => {
      expect(await background(page)).to.equal('rgb(18, 23, 29)');
      await page.emulateMedia({ media: 'print' });
      expect(await background(page)).to.equal('rgb(255, 255, 255)');
    });
  });

  it('fits a narrow screen without scrolling the page sideways', async () => {
    await withReport(browser, { width: 400 }, async ({ page }) => {
      await page
        .locator('details')
        .first()
        .evaluate(details => details.setAttribute('open', ''));
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).to.equal(400);
    });
  });

  it('has headings, tables and names for those who do not see it', async () => {
    await withReport(browser, {}, async ({ page }) => {
      expect(await page.getByRole('heading', { level: 1 }).allTextContents()).to.deep.equal(['kill-one']);
      expect(await page.getByRole('heading', { level: 2 }).count()).to.equal(5);
      expect(await page.getByRole('rowheader', { name: 'writes lost' }).count()).to.equal(1);
      expect(await page.getByRole('img', { name: /^Highest p99/ }).count()).to.equal(2);
    });
  });

  it('runs nothing that a user name brings along', async () => {
    const name = `</script><img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;
    const runs = [sampleRun({ mode: 'sticky', users: 6, rename: user => `${user}${name}` })];
    await withReport(browser, { runs }, async ({ page, trouble }) => {
      expect(trouble).to.deep.equal([]);
      expect(await page.title()).to.equal('kill-one – Holdfast');
      expect(await page.locator('img').count()).to.equal(0);
      expect(await page.locator('td', { hasText: 'onerror' }).count()).to.be.greaterThan(0);
    });
  });
});

async function withReport(browser: Browser, look: Look, use: (opened: Opened) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-report-'));
  try {
    const file = path.join(folder, 'report.html');
    await writeFile(file, reporters.html.report(look.runs ?? sampleRuns(), { colour: false }));
    const { colorScheme = 'light', width = 1200 } = look;
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    const address = pathToFileURL(file).href;
    const trouble: string[] = [];
    page.on('console', message => trouble.push(message.text()));
    page.on('pageerror', error => trouble.push(error.message));
    page.on('request', request => {
      if (request.url() !== address && !request.url().startsWith('data:')) trouble.push(request.url());
    });
    await page.goto(address);
    try {
      await use({ page, trouble });
    } finally {
      await page.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How many different colours a screenshot holds: a blank plot has one, and two with a border. */
function coloursIn(page: Page, png: Buffer): Promise<number> {
  return page.evaluate<number>(`(async () => {
    const bytes = Uint8Array.from(atob('${png.toString('base64')}'), letter => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return new Set(new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer)).size;
  })()`);
}
