import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** A page, and everything that must not happen on it: errors in its console, requests to other hosts. */
interface WatchedPage {
  readonly page: Page;
  readonly complaints: readonly string[];
}

export async function withPage<T>(
  browser: Browser,
  url: string,
  work: (watched: WatchedPage) => Promise<T>,
  options: BrowserContextOptions = {},
): Promise<T> {
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    // Failed fetches are expected on these pages; the browser itself logs them.
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

export async function logIn(page: Page, password = 'secret', user = 'anna'): Promise<void> {
  await page.getByLabel('Name').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

const patienceMs = 12_000;

/** Resolves when the sentence of the page matches. */
export async function story(page: Page, sentence: RegExp): Promise<void> {
  const place = page.locator('#story').filter({ hasText: sentence });
  await place.waitFor({ timeout: patienceMs }).catch(async () => {
    expect(await page.locator('#story').textContent()).to.match(sentence);
  });
}

/** Hides the page, like another tab in front of it, or shows it again. */
export async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  `);
}
