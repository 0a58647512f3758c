/**
 * Measures what a frame of the live lab costs the page: CPU time of the script on the main thread. There are 400 users
 * on each side, and 40 of them change their state and their backend in each frame.
 *
 *   node dist/bench/live-frame.js [frames, default 300]
 */
import { launchChromium } from '#test/chromium.js';
import { framesOf, usersIn } from '#test/live/page-feed.js';
import { drawnFrames, withLivePage } from '#test/live/with-live-page.js';

const frames = Number(process.argv[2] ?? 300);
const users = usersIn('in', 400);
const browser = await launchChromium();
await withLivePage(browser, { left: { users }, right: { users } }, async ({ page, feed }) => {
  const developer = await page.context().newCDPSession(page);
  await developer.send('Performance.enable', { timeDomain: 'threadTicks' });
  const readScriptMs = async () => {
    const { metrics } = await developer.send('Performance.getMetrics');
    return 1_000 * (metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? 0);
  };
  const before = await readScriptMs();
  for (const frame of framesOf(users, frames)) {
    feed.push(frame);
    await drawnFrames(page);
  }
  console.log(`${((await readScriptMs()) - before) / frames} ms of CPU for each of ${frames} frames`);
});
await browser.close();
