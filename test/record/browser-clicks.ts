import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { type Holdfast, withHoldfast } from '../commands/holdfast.js';

/** What a person does in an app, in the words of its pages. */
export interface ClickedApp {
  /** The flags and the command of `holdfast record`. */
  readonly words: readonly string[];
  /** Logs in, adds, looks and logs out. */
  clickThrough(page: Page, user: string, item: string): Promise<void>;
  /** Opens the page of the items without a login. */
  visit(page: Page): Promise<void>;
}

export interface RecordedApp {
  readonly code: number;
  readonly output: string;
}

/** Records an app with one browser, as a person does: by the links and the button of the control page. */
export async function recordByClicking(
  browser: Browser,
  app: ClickedApp,
  out: string,
  more: readonly string[] = [],
): Promise<RecordedApp> {
  return withHoldfast(['record', '--port', '0', '--out', out, ...more, ...app.words], async holdfast => {
    const context = await browser.newContext();
    try {
      await clickPasses(holdfast, context, app);
      const code = await holdfast.ended();
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
      return { code, output: holdfast.output.stdout + holdfast.output.stderr };
    } finally {
      await context.close();
    }
  });
}

async function clickPasses(holdfast: Holdfast, context: BrowserContext, app: ClickedApp): Promise<void> {
  await holdfast.sees(/says what to do: http/, 30_000);
  const address = /says what to do: (\S+)/.exec(holdfast.output.stdout)?.[1] ?? '';
  const control = await context.newPage();
  await control.goto(address);
  for (const number of [1, 2, 3]) {
    await control.locator('#number', { hasText: String(number) }).waitFor();
    const [page] = await Promise.all([context.waitForEvent('page'), control.locator('#app').click()]);
    if (number === 3) await app.visit(page);
    else await app.clickThrough(page, `hf-user-${number}`, `hf-item-${number}`);
    expect(await control.locator('#missing').isVisible()).to.equal(false);
    await control.locator('#done').click();
  }
  await control.locator('#over').waitFor();
}
