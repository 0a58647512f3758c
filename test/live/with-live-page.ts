import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import type { CountsView, SideName, SideView, Snapshot, StrikeView } from '#src/live/protocol.js';
import { noCounts, PageFeed, settings, sideView } from './page-feed.js';

export interface OpenedPage {
  readonly page: Page;
  readonly feed: PageFeed;
  readonly side: (name: SideName) => Locator;
}

export interface PageScene {
  readonly left?: Partial<SideView>;
  readonly right?: Partial<SideView>;
  readonly settings?: Partial<Snapshot['settings']>;
}

export const killOfTwo: StrikeView = {
  id: 'kill-backend-2',
  fault: 'kill',
  target: 'backend-2',
  doneInWords: 'was killed',
  state: 'confirmed',
  requestedMs: 29_000,
  confirmedMs: 29_050,
  healedMs: null,
  exposed: 9,
  before: noCounts,
};

/** The page that tests share, by its browser. A page of its own costs half a second of CPU time. */
const sharedPages = new WeakMap<Browser, Page>();

/** Returns an empty page. It is shared, unless it needs options. */
async function openPage(browser: Browser, options: BrowserContextOptions | undefined): Promise<Page> {
  const shared = options === undefined ? sharedPages.get(browser) : undefined;
  if (shared !== undefined) return shared;
  const context = await browser.newContext(options);
  return context.newPage();
}

/** Lets later tests use the page again. After a failure, or with options, it is closed. */
async function leavePage(browser: Browser, page: Page, isShared: boolean): Promise<void> {
  const context = page.context();
  if (!isShared) {
    sharedPages.delete(browser);
    return context.close();
  }
  for (const name of ['console', 'pageerror', 'request'] as const) page.removeAllListeners(name);
  for (const other of context.pages()) if (other !== page) await other.close();
  await page.goto('about:blank');
  sharedPages.set(browser, page);
}

/** Opens the page. Fails when it has written an error, broken its policy, or sent a request to anywhere else. */
export async function withLivePage(
  browser: Browser,
  scene: PageScene,
  work: (opened: OpenedPage) => Promise<unknown>,
  options?: BrowserContextOptions,
): Promise<void> {
  const feed = new PageFeed({
    kind: 'snapshot',
    settings: { ...settings, ...scene.settings },
    left: sideView('sticky', scene.left),
    right: sideView('redis', scene.right),
  });
  await feed.start();
  const page = await openPage(browser, options);
  const complaints: string[] = [];
  let isShared = false;
  try {
    page.on('console', message => {
      const isExpected = message.text().startsWith('Failed to load resource');
      if (['error', 'warning'].includes(message.type()) && !isExpected) complaints.push(message.text());
    });
    page.on('pageerror', error => complaints.push(String(error)));
    page.on('request', request => {
      const isLocal = /^(data|blob|about):/.test(request.url());
      if (!isLocal && new URL(request.url()).origin !== feed.origin) complaints.push(request.url());
    });
    await page.goto(feed.url);
    await page.locator('.side').nth(1).locator('.sentence').filter({ hasText: /./ }).waitFor();
    await work({ page, feed, side: name => page.locator(`.side[data-side="${name}"]`) });
    expect(complaints).to.deep.equal([]);
    isShared = options === undefined;
  } finally {
    await leavePage(browser, page, isShared);
    await feed.stop();
  }
}

/** Acts, and waits until the page has the reply to its command. */
export async function posted(page: Page, act: () => Promise<unknown>): Promise<void> {
  await Promise.all([page.waitForResponse(response => response.url().endsWith('/command')), act()]);
}

/** Waits until everything that the page has received is drawn. */
export async function drawnFrames(page: Page): Promise<void> {
  await page.evaluate('new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve())))');
}

/** Resolves when all dots have arrived. */
export const settle = 'Promise.all(document.getAnimations().map(({ finished }) => finished)).then(() => 0)';

/** Returns what is wider than the page or than the part that holds it. */
export async function findCutOff(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const wide = document.documentElement.scrollWidth;
    const found = wide > innerWidth ? ['the page is ' + wide + ' px wide'] : [];
    for (const element of document.querySelectorAll('body *:not(.dots, .dots *, .for-ears, .chart *)')) {
      const { left, right, width } = element.getBoundingClientRect();
      if (width === 0) continue;
      const { overflowX, display } = getComputedStyle(element);
      const isCut = element.scrollWidth > element.clientWidth + 1 && display !== 'inline' && overflowX !== 'auto';
      if (left < -0.5 || right > innerWidth + 0.5 || isCut) found.push(element.tagName + ' ' + element.className + ' ' + element.textContent.slice(0, 60));
    }
    return found;
  })()`);
}

/** Returns the counters that one side shows. */
export async function readCounters(side: Locator): Promise<Partial<CountsView>> {
  const [labels, values, details] = await Promise.all(
    ['dt', '.value', '.detail'].map(part => side.locator(`.counters ${part}`).allTextContents()),
  );
  const numbersIn = (text = '') => (text.match(/[\d,]+/g) ?? []).map(number => Number(number.replaceAll(',', '')));
  const [loggedOut] = numbersIn(values?.[0]);
  const [missing] = numbersIn(values?.[1]);
  const [failed, unknown] = numbersIn(values?.[2]);
  const [exposed = null] = numbersIn(details?.[0]);
  const [other] = numbersIn(details?.[1]);
  const writes = labels?.[1]?.endsWith('lost') ? { lost: missing, acknowledged: other } : { lost: other };
  return Object.fromEntries(
    Object.entries({ loggedOut, exposed, missing, failed, unknown, ...writes }).map(([name, value]) => [name, value]),
  );
}

/** Returns the story of a user who sent one request. */
export function shortStory(user: string) {
  const none: readonly number[] = [];
  return {
    user: 0,
    file: {
      words: [user, 'view', 'ok', 'backend-2'],
      incidents: {
        lostFrom: 0,
        kind: none,
        user: none,
        token: none,
        since: none,
        ackBackend: none,
        lastSeen: none,
        seen: none,
        seenBackend: none,
        shape: none,
        cause: none,
        proof: [],
      },
      stories: {
        user: [0],
        first: [0],
        operations: {
          id: [1],
          kind: [1],
          session: [0],
          token: [-1],
          planned: [1000],
          waited: [0],
          took: [2000],
          outcome: [2],
          status: [200],
          error: [-1],
          identity: [0],
          backend: [3],
          incarnation: [-1],
          items: [2],
          remark: [-1],
        },
      },
    },
  };
}
