/**
 * Holds the page of `holdfast live` open in a real browser while random strikes are sent by keyboard. It prints a row
 * per minute, then the figures. Exit code 1: something was wrong.
 *
 *   node dist/bench/live-page.js [minutes, default 30] [users, default 64] [seed, default 1]
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { sideNames } from '#src/live/protocol.js';
import { readHistory } from '#src/simulator/history/file.js';
import { randomStream } from '#src/simulator/plan/random.js';
import { launchChromium } from '#test/chromium.js';
import { type Holdfast, withHoldfast } from '#test/commands/holdfast.js';
import { addressOf } from '#test/commands/live-address.js';
import { countsOfReport } from '#test/live/told-run.js';
import { readCounters } from '#test/live/with-live-page.js';

const [minutes = 30, users = 64, seed = 1] = process.argv.slice(2).map(Number);
const strikeEveryMs = 10_000;
const printEveryMs = 60_000;
const settleWithinMs = 60_000;
const heapGrowthMbMax = 10;
const nodesGrowthMax = 200;
const faultKeys = ['k', 'h', 'd', 's', 'c'];
const random = randomStream(seed, 'live-page');
const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];

interface Sample {
  readonly heapMb: number;
  readonly nodes: number;
  readonly cpuS: number;
}

const wrong: string[] = [];
/** The commands that the page has sent. */
const commands: string[] = [];
const strikesOf = () => commands.filter(command => command.includes('"do":"strike"')).length;
const samples: Sample[] = [];

async function watch(browser: Browser, holdfast: Holdfast): Promise<void> {
  const { port, token } = await addressOf(holdfast);
  const page = await browser.newPage();
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) wrong.push(`console: ${message.text()}`);
  });
  page.on('request', request => {
    if (request.method() === 'POST') commands.push(request.postData() ?? '');
  });
  page.on('pageerror', error => wrong.push(`page: ${error}`));
  await page.goto(`http://127.0.0.1:${port}/#${token}`);
  const developer = await page.context().newCDPSession(page);
  await developer.send('Performance.enable');
  for (const name of sideNames)
    await inDots(page, name)
      .nth(Math.floor(users * 0.8))
      .waitFor({ timeout: 60_000 });
  await strikeForMinutes(page, developer, holdfast);
  await healAll(page);
  await expectHealthy(page);
  samples.push(await takeSample(developer, holdfast));
  holdfast.child.kill('SIGINT');
  const code = await holdfast.ended();
  if (code !== 130) wrong.push(`exit code ${code}: ${holdfast.output.stderr}`);
  await page.locator('html[data-stage="over"]').waitFor();
  await compareCounters(page, path.join(holdfast.folder, 'reports/live/latest'));
  console.log(`${strikesOf()} strikes`);
}

/** Strikes a random member, and heals it before the next strike. */
async function strikeForMinutes(page: Page, developer: CDPSession, holdfast: Holdfast): Promise<void> {
  const endMs = performance.now() + minutes * 60_000;
  let printedMs = Number.NEGATIVE_INFINITY;
  console.log('minute  strikes  heap MB  nodes  CPU s');
  while (performance.now() < endMs) {
    if (performance.now() - printedMs >= printEveryMs) {
      printedMs = performance.now();
      samples.push(await takeSample(developer, holdfast));
      console.log(rowOf(samples.at(-1)));
    }
    const nextMs = performance.now() + strikeEveryMs;
    const member = 1 + Math.floor(random() * (await page.locator('#members button').count()));
    await page.keyboard.type(`${member}${pick(['', '', 'b', 'bb']) ?? ''}`);
    const keys = await Promise.all(faultKeys.map(async key => ((await isOffered(page, key)) ? key : '')));
    await page.keyboard.type(pick(keys.filter(Boolean)) ?? '');
    await sleep(strikeEveryMs / 2);
    await page.locator('#scope [data-scope="both"]').click();
    await page.keyboard.type('r');
    await sleep(Math.max(0, nextMs - performance.now()));
  }
}

function isOffered(page: Page, key: string): Promise<boolean> {
  return page.locator(`#actions button[aria-keyshortcuts="${key}"]`).isEnabled();
}

/** Heals each member until no strike is active. */
async function healAll(page: Page): Promise<void> {
  const members = await page.locator('#members button').count();
  const untilMs = performance.now() + settleWithinMs;
  const active = page.locator('.box[data-struck="yes"]');
  while ((await active.count()) > 0 && performance.now() < untilMs) {
    for (let member = 1; member <= members; member += 1) await page.keyboard.type(`${member}r`);
    await sleep(3_000);
  }
}

/** Waits until every member is up and every user is logged in. */
async function expectHealthy(page: Page): Promise<void> {
  const untilMs = performance.now() + settleWithinMs;
  for (;;) {
    const found = await findTrouble(page);
    if (found.length === 0) return;
    if (performance.now() > untilMs) return void wrong.push(...found);
    await sleep(500);
  }
}

async function findTrouble(page: Page): Promise<string[]> {
  const boxes = await page
    .locator('.box:not([data-state="up"]):not([data-state="spare"]), .box[data-struck="yes"]')
    .allTextContents();
  const trouble = boxes.map(text => `not healthy: ${text}`);
  for (const name of sideNames) {
    const logged = await inDots(page, name).count();
    if (logged < users * 0.9) trouble.push(`${name}: only ${logged} of ${users} users are logged in`);
  }
  return trouble;
}

/** Returns the dots of the users who have a session, including users who lost a write. */
function inDots(page: Page, side: string) {
  const states = ['in', 'waiting', 'has-lost', 'in-doubt'].map(state => `i[data-state="${state}"]`).join(', ');
  return page.locator(`.side[data-side="${side}"] .dots`).locator(states);
}

async function compareCounters(page: Page, folder: string): Promise<void> {
  for (const name of sideNames) {
    const [run] = await readHistory(path.join(folder, `history-${name}.ndjson`));
    if (run === undefined) throw new Error(`no history of the ${name} side`);
    const report: Readonly<Record<string, number | null>> = countsOfReport(run);
    const shown = Object.entries(await readCounters(page.locator(`.side[data-side="${name}"]`)));
    console.log(`${name}: ${run.operations.length} operations, ${JSON.stringify(report)}`);
    for (const [counter, value] of shown)
      if (report[counter] !== value) wrong.push(`${name}: ${counter} is ${value}, in the report ${report[counter]}`);
  }
}

async function takeSample(developer: CDPSession, holdfast: Holdfast): Promise<Sample> {
  await developer.send('HeapProfiler.collectGarbage');
  const { metrics } = await developer.send('Performance.getMetrics');
  const found = new Map(metrics.map(({ name, value }) => [name, value]));
  const heapMb = (found.get('JSHeapUsedSize') ?? 0) / 2 ** 20;
  return { heapMb, nodes: found.get('Nodes') ?? 0, cpuS: await cpuSecondsOf(holdfast.child.pid) };
}

/** CPU time of the process, with that of its children that have ended. Linux counts 100 ticks a second. */
async function cpuSecondsOf(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [user = 0, system = 0, ofChildren = 0, systemOfChildren = 0] =
    stat.split(') ')[1]?.split(' ').slice(11, 15).map(Number) ?? [];
  return (user + system + ofChildren + systemOfChildren) / 100;
}

function rowOf({ heapMb, nodes, cpuS }: Sample = { heapMb: 0, nodes: 0, cpuS: 0 }): string {
  return [
    String(samples.length - 1).padStart(6),
    String(strikesOf()).padStart(7),
    heapMb.toFixed(1).padStart(7),
    String(nodes).padStart(5),
    cpuS.toFixed(0).padStart(5),
  ].join('  ');
}

/** Compares the end with the sample after the first minute: until then the page draws things for the first time. */
function checkFlat(): void {
  const [first, last] = [samples[1] ?? samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return;
  const [heap, nodes] = [last.heapMb - first.heapMb, last.nodes - first.nodes];
  console.log(`heap ${first.heapMb.toFixed(1)} to ${last.heapMb.toFixed(1)} MB, nodes ${first.nodes} to ${last.nodes}`);
  if (heap > heapGrowthMbMax) wrong.push(`the heap grew by ${heap.toFixed(1)} MB`);
  if (nodes > nodesGrowthMax) wrong.push(`the page has ${nodes} nodes more`);
}

const browser = await launchChromium();
try {
  await withHoldfast(['live', '--users', String(users), '--port', '0', '--seed', String(seed)], holdfast =>
    watch(browser, holdfast),
  );
} finally {
  await browser.close();
}
checkFlat();
for (const line of new Set(wrong)) console.log(`WRONG: ${line}`);
console.log(wrong.length === 0 ? 'nothing was wrong' : `${wrong.length} things were wrong`);
process.exitCode = wrong.length === 0 ? 0 : 1;
