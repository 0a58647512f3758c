/**
 * Writes docs/live.png, the picture of the live lab in the README: runs `holdfast live`, kills backend-2 on both sides by
 * a key of the page, and takes a screenshot 3 s later. It takes about 30 s, on a machine that has nothing else to do.
 *
 *   npm run build && node scripts/live-picture.mjs
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { launchChromium } from '#test/chromium.js';

const root = path.resolve(import.meta.dirname, '..');
const size = { width: 1280, height: 1360 };
/** Below the timelines, where the picture ends. */
const margin = 14;
const bytesMax = 200 * 1024;
/** The timeline then shows how it was before. */
const beforeMs = 18_000;
const afterMs = 3_000;
/** Numbers of dots to wait for: 64 users are on each side. */
const [enoughIn, enoughOut] = [110, 4];

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-picture-'));
const words = ['dist/cli.js', 'live', '--port', '0', '--out', folder];
const lab = spawn(process.execPath, words, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
const ended = once(lab, 'close');
try {
  const picture = await takeScreenshot(await findAddress());
  if (picture.length > bytesMax)
    throw new Error(`the picture has ${picture.length} bytes, expected at most ${bytesMax}`);
  writeFileSync(path.join(root, 'docs/live.png'), picture);
  console.log(`written: docs/live.png, ${picture.length} bytes`);
} finally {
  lab.kill('SIGINT');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}

async function findAddress() {
  for await (const line of createInterface({ input: lab.stdout })) {
    const [, address] = /^open this address: (\S+)$/.exec(line) ?? [];
    if (address === undefined) continue;
    // Its further lines are of no use, but it must be able to write them.
    lab.stdout.resume();
    return address;
  }
  throw new Error('holdfast live ended before it had printed its address');
}

async function takeScreenshot(address) {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: size, colorScheme: 'light', reducedMotion: 'reduce' });
    await page.goto(address);
    const dots = state => page.locator(`.dots i[data-state="${state}"]`);
    await dots('in').nth(enoughIn).waitFor({ timeout: 30_000 });
    await delay(beforeMs);
    await page.keyboard.type('2k');
    await page.getByText('backend-2 was killed').nth(1).waitFor();
    await delay(afterMs);
    // Otherwise it would not show what the README says.
    await page.locator('[data-side="left"]').getByText('were logged out').waitFor({ timeout: 1_000 });
    await page.locator('[data-side="right"]').getByText('so far none of').waitFor({ timeout: 1_000 });
    await dots('logged-out').nth(enoughOut).waitFor({ timeout: 1_000 });
    const notices = await page.locator('.notice:visible').allTextContents();
    if (notices.length > 0) throw new Error(`the page shows a notice: ${notices.join(' ')}`);
    const { y, height } = await page.locator('.timeline').first().boundingBox();
    return await page.screenshot({ type: 'png', clip: { x: 0, y: 0, width: size.width, height: y + height + margin } });
  } finally {
    await browser.close();
  }
}
