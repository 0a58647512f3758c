/**
 * Writes docs/report.png, the picture of the README: runs `kill-one` in two modes, opens its HTML report in a Chromium and
 * takes a screenshot of the timeline. It takes about 20 s, on a machine that has nothing else to do.
 *
 *   npm run build && node scripts/report-picture.mjs
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { launchChromium } from '#test/chromium.js';

const root = path.resolve(import.meta.dirname, '..');
const size = { width: 1200, height: 920 };
const bytesMax = 200 * 1024;

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-picture-'));
try {
  runScenario();
  const picture = await takeScreenshot(path.join(folder, 'kill-one/latest/report.html'));
  if (picture.length > bytesMax)
    throw new Error(`the picture has ${picture.length} bytes, expected at most ${bytesMax}`);
  writeFileSync(path.join(root, 'docs/report.png'), picture);
  console.log(`written: docs/report.png, ${picture.length} bytes`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** A run that did not pass, or was disturbed, would not show what the README says. */
function runScenario() {
  const words = ['run', 'scenarios/kill-one.yaml', '--mode', 'sticky,redis', '--out', folder];
  const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] };
  const { status, stdout } = spawnSync(process.execPath, ['dist/cli.js', ...words], options);
  process.stdout.write(stdout);
  if (status !== 0) throw new Error(`holdfast ${words.join(' ')} ended with ${status}, expected 0`);
  if (stdout.includes('not judged:')) throw new Error('the machine was busy: run this again when it is idle');
}

async function takeScreenshot(report) {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: size, colorScheme: 'light' });
    await page.goto(pathToFileURL(report).href);
    await page.locator('.chart').first().waitFor();
    await page
      .getByRole('heading', { name: 'Timeline' })
      .evaluate(heading => heading.nextElementSibling.scrollIntoView());
    return await page.screenshot({ type: 'png' });
  } finally {
    await browser.close();
  }
}
