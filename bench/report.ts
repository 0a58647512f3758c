import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { reporters } from '#src/report/reporters/registry.js';
import { judgeRun } from '#src/simulator/checker/judge-run.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import { launchChromium } from '#test/chromium.js';
import { makeHistory } from './made-history.js';

/**
 * Measures how fast the HTML report of a long run is written, and how soon a real Chromium shows it.
 *
 *   node dist/bench/report.js [users, default 2000] [operations per user, default 100]
 *
 * Goals for 200,000 operations: written in at most 3 s, open in under 2 s. It measures two histories: one user in ten
 * loses the session, and all users lose it.
 */

const users = Number(process.argv[2] ?? 2000);
const operationsPerUser = Number(process.argv[3] ?? 100);
const opensPerReport = 5;

interface Opened {
  readonly parsedMs: number;
  readonly drawnMs: number;
  readonly storyMs: number;
}

function judged(oneInLosesSession: number): JudgedRun {
  return judgeRun(makeHistory({ users, operationsPerUser, oneInLosesSession }));
}

/** Opens the report. Times count from the start of the navigation; that of the story counts from the click. */
async function open(browser: Browser, file: string): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(pathToFileURL(file).href);
  const opened = await page.evaluate<Opened>(`(() => {
    const [navigation] = performance.getEntriesByType('navigation');
    const [drawn] = performance.getEntriesByName('holdfast-drawn');
    const clickedMs = performance.now();
    document.querySelector('tr[data-incident]').click();
    document.querySelector('dialog').getBoundingClientRect();
    return {
      parsedMs: navigation.domContentLoadedEventEnd,
      drawnMs: drawn.startTime,
      storyMs: performance.now() - clickedMs,
    };
  })()`);
  await page.close();
  return opened;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function measure(browser: Browser, folder: string, oneInLosesSession: number): Promise<void> {
  const runs = [judged(oneInLosesSession)];
  const file = path.join(folder, `${oneInLosesSession}.html`);
  const [beforeMs, cpuBefore] = [performance.now(), process.cpuUsage()];
  await writeFile(file, reporters.html.report(runs, { colour: false }));
  const writtenMs = performance.now() - beforeMs;
  const cpu = process.cpuUsage(cpuBefore);
  const opened: Opened[] = [];
  for (let turn = 0; turn < opensPerReport; turn += 1) opened.push(await open(browser, file));
  const seconds = (of: (one: Opened) => number) => `${(median(opened.map(of)) / 1000).toFixed(2)} s`;
  const { size } = await stat(file);
  const { users: found, writes } = runs[0]?.findings ?? {};
  for (const [name, value] of [
    ['operations', runs[0]?.run.operations.length.toLocaleString('en')],
    ['found', `${found?.loggedOut} users logged out, ${writes?.lost} writes lost`],
    ['written in', `${(writtenMs / 1000).toFixed(2)} s, CPU ${((cpu.user + cpu.system) / 1e6).toFixed(2)} s`],
    ['file', `${(size / 1e6).toFixed(1)} MB`],
    ['parsed after', `${seconds(({ parsedMs }) => parsedMs)} (DOMContentLoaded; median of ${opensPerReport})`],
    ['drawn after', seconds(({ drawnMs }) => drawnMs)],
    ['first story', `${seconds(({ storyMs }) => storyMs)} after the click`],
  ]) {
    console.log(`${name?.padEnd(14)}${value}`);
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-report-'));
const browser = await launchChromium();
try {
  await measure(browser, folder, 10);
  console.log('');
  await measure(browser, folder, 1);
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}
