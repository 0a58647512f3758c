import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const quiet = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** For `before`; whoever calls it closes the browser in `after`. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? places.find(place => existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      `no Chromium at ${places.join(', ')}: install it (apt-get install chromium) or set CHROMIUM_PATH to yours`,
    );
  }
  return chromium.launch({ executablePath, args: quiet });
}

/** A page, and everything about it that should not be: errors in its console, requests to anybody else. */
export interface WatchedPage {
  readonly page: Page;
  readonly complaints: readonly string[];
}

export async function withPage<T>(
  browser: Browser,
  url: string,
  work: (watched: WatchedPage) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    // A fetch that failed is what these pages are about; the browser itself logs it.
    page.on('console', message => {
      const expected = message.text().startsWith('Failed to load resource');
      if (['error', 'warning'].includes(message.type()) && !expected) complaints.push(message.text());
    });
    page.on('pageerror', error => complaints.push(String(error)));
    page.on('request', request => {
      if (new URL(request.url()).origin !== url && !request.url().startsWith('data:')) complaints.push(request.url());
    });
    await page.goto(url);
    return await work({ page, complaints });
  } finally {
    await context.close();
  }
}
