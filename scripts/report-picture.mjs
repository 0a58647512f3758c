/**
 * Writes docs/report.png, the picture of the README: runs `kill-one` in two modes, opens its HTML report in a Chromium and
 * takes a screenshot. It takes about 20 s.
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
const size = { width: 1200, height: 800 };
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

/** A picture of a run that did not pass would show something else than the README says. */
function runScenario() {
  const words = ['run', 'scenarios/kill-one.yaml', '--mode', 'sticky,redis', '--out', folder];
  const { status } = spawnSync(process.execPath, ['dist/cli.js', ...words], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`holdfast ${words.join(' ')} ended with ${status}, expected 0`);
}

async function takeScreenshot(report) {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: size, colorScheme: 'light' });
    await page.goto(pathToFileURL(report).href);
    await page.locator('.chart').first().waitFor();
    return await page.screenshot({ type: 'png' });
  } finally {
    await browser.close();
  }
}
