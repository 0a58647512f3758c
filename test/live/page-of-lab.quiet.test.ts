/**
 * The page in front of real systems, in a real browser: one session for all tests, which follow each other. One of them
 * measures how fast the session ends.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { type CountsView, paths, type SideName, sideNames, tokenHeader } from '#src/live/protocol.js';
import { readHistory } from '#src/simulator/history/file.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { launchChromium } from '../chromium.js';
import { type Holdfast, withHoldfast } from '../commands/holdfast.js';
import { commandLine } from '../commands/in-process.js';
import { addressOf } from '../commands/live-address.js';
import { withHttpServer } from '../with-http-server.js';
import { countsOfReport } from './told-run.js';
import { drawnFrames, findCutOff, readCounters } from './with-live-page.js';

const users = 16;
const lab = `name: live
why: The page is tested with it.
modes: [sticky, redis]
system:
  backends: { count: 2, env: { SHOP_DEFECT: foreign-cart } }
  proxy: { health: { every: 500ms, timeout: 1s, fall: 2, rise: 1 }, policy: round-robin }
users:
  arrivals: { rate: ${users / 2}/s, for: 2s, max-active: ${users} }
  think: { median: 900ms, p95: 2500ms }
  timeout: 2s
phases: { warmup: 2s, baseline: 2s, faults: 10s, recovery: 2s, quiesce: 200ms }
`;

describe('the page of a running live lab', function () {
  this.timeout(60_000);
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let holdfast: Holdfast;
  let origin: string;
  let token: string;
  let running: Promise<unknown>;
  let finish = () => {};
  let folder = '';
  const requested = new Set<string>();
  const complaints: string[] = [];

  const sideOf = (of: Page, name: SideName) => of.locator(`.side[data-side="${name}"]`);
  const dots = (of: Page, name: SideName, state: string) => sideOf(of, name).locator(`.dots i[data-state="${state}"]`);

  before(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-page-of-lab-'));
    const file = path.join(folder, 'lab.yaml');
    await writeFile(file, lab);
    await new Promise<void>((resolve, reject) => {
      const words = ['live', '--scenario', file, '--users', String(users), '--port', '0'];
      running = withHoldfast(words, async started => {
        holdfast = started;
        const ended = new Promise<void>(end => (finish = end));
        resolve();
        await ended;
      }).catch(reject);
    });
    const address = await addressOf(holdfast);
    token = address.token;
    origin = `http://127.0.0.1:${address.port}`;
    context = await browser.newContext({ acceptDownloads: true });
    context.on('request', request => requested.add(new URL(request.url()).origin));
    context.on('console', message => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    context.on('weberror', error => complaints.push(String(error.error())));
    page = await openPage();
  });

  after(async () => {
    finish();
    await running;
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  async function openPage(): Promise<Page> {
    const opened = await context.newPage();
    await opened.goto(`${origin}/#${token}`);
    return opened;
  }

  it('kills a backend on both sides by two keys: users are logged out on the left, and none on the right', async () => {
    for (const name of sideNames)
      await dots(page, name, 'in')
        .nth(users - 4)
        .waitFor();
    await page.keyboard.type('2k');
    await dots(page, 'left', 'logged-out').nth(1).waitFor();
    for (const name of sideNames) {
      await sideOf(page, name).getByRole('group', { name: 'backend-2' }).getByText('down for').waitFor();
    }
    await sideOf(page, 'right')
      .getByText(/none of the \d+ users that it served was logged out/)
      .waitFor();
    expect(await dots(page, 'right', 'logged-out').count()).to.equal(0);
    expect(await readCounters(sideOf(page, 'right'))).to.include({ loggedOut: 0, missing: 0 });
  });

  it('raises the alert when a user gets the answer of another user', async () => {
    await page.getByRole('alert').filter({ hasText: 'got the answer of another user' }).waitFor();
  });

  it('shows the counters of the history that it exports at that moment', async () => {
    await page.keyboard.type('r');
    for (const name of sideNames) {
      await sideOf(page, name).getByRole('group', { name: 'backend-2' }).getByText('up').waitFor();
    }
    for (const name of sideNames) {
      const { counts, exported } = await exportAtRest(name);
      expect(counts).to.deep.equal(pick(exported, Object.keys(counts)));
    }
    const scenario = await download('scenario.yaml');
    expect(parseScenario(scenario, 'scenario.yaml').faults.map(fault => fault.do)).to.deep.equal(['kill']);
  });

  /** Downloads a history between two looks at the same counters. Acknowledged writes grow all the time. */
  async function exportAtRest(name: SideName): Promise<{ counts: Partial<CountsView>; exported: Partial<CountsView> }> {
    for (;;) {
      const { acknowledged: least = 0, ...counts } = await readCounters(sideOf(page, name));
      const history = path.join(folder, 'history.ndjson');
      await writeFile(history, await download(`history-${name}.ndjson`));
      await sleep(200);
      const { acknowledged: most = Number.POSITIVE_INFINITY, ...after } = await readCounters(sideOf(page, name));
      if (JSON.stringify(counts) !== JSON.stringify(after)) continue;
      const [run] = await readHistory(history);
      const exported = countsOfReport(run ?? expect.fail('no run'));
      expect(exported.acknowledged).to.be.within(least, most);
      return { counts, exported };
    }
  }

  async function download(name: string): Promise<string> {
    await page.keyboard.press('e');
    const button = page.getByRole('button', { name, exact: true });
    const [file] = await Promise.all([page.waitForEvent('download'), button.click()]);
    await page.keyboard.press('Escape');
    return readFile(await file.path(), 'utf8');
  }

  it('is refused to a page of another origin, under another host name, and without the token', async () => {
    const url = `${origin}${paths.command}`;
    const body = JSON.stringify({ do: 'strike', sides: ['left'], fault: 'kill', target: 'backend-1' });
    const post = (of: Page, headers: Record<string, string>) =>
      of.evaluate(([to, init]) => fetch(to, init).then(({ status }) => status, String), [
        url,
        { method: 'POST', body, headers },
      ] as const);
    const visitor = await browser.newPage();
    await withHttpServer(
      (_, response) => {
        const form = `<form method="post" enctype="text/plain" action="${url}"><input name='${body}'></form>`;
        response.setHeader('content-type', 'text/html').end(`<!doctype html>${form}`);
      },
      async foreign => {
        await visitor.goto(foreign);
        expect(await post(visitor, { [tokenHeader]: token })).to.equal('TypeError: Failed to fetch');
        const [response] = await Promise.all([
          visitor.waitForResponse(url),
          visitor.evaluate('document.forms[0].submit()'),
        ]);
        await visitor.waitForURL(url);
        expect(response.status(), 'a form').to.equal(403);
      },
    );
    await visitor.goto(origin);
    expect(await post(visitor, {}), 'no token').to.equal(403);
    expect(await post(visitor, { [tokenHeader]: 'x'.repeat(43) }), 'wrong token').to.equal(403);
    await visitor.close();
    const other = await browser.newPage();
    expect((await other.goto(origin.replace('127.0.0.1', 'shop.localhost')))?.status(), 'wrong host').to.equal(403);
    await other.close();
    const group = sideOf(page, 'left').getByRole('group', { name: 'backend-1' });
    expect(await group.getAttribute('data-state')).to.equal('up');
  });

  it('cuts nothing off at 390 px', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await drawnFrames(page);
    expect(await findCutOff(page)).to.deep.equal([]);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it('ends at Ctrl-C while pages are open, and each shows what the report says of the files', async () => {
    const closed = await openPage();
    const second = await openPage();
    for (const each of [closed, second]) await dots(each, 'left', 'in').first().waitFor();
    await closed.close();
    await page.reload();
    await dots(page, 'right', 'in').first().waitFor();
    holdfast.child.kill('SIGINT');
    expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
    expect(await holdfast.children()).to.deep.equal([]);

    const notice = 'The live lab has ended: The command was stopped by Ctrl-C. This page keeps its last state.';
    const reports = { left: await reportOf('left'), right: await reportOf('right') };
    for (const shown of [page, second]) {
      const ended = shown.getByRole('alert').filter({ hasText: notice });
      await ended.waitFor();
      expect(await ended.locator('li').allTextContents()).to.have.length(4);
      for (const name of sideNames) {
        const report = reports[name];
        const counts = await readCounters(sideOf(shown, name));
        expect(counts).to.deep.equal(pick(report, Object.keys(counts)));
      }
    }
    expect(await sentences(page)).to.deep.equal(await sentences(second));
  });

  /** Returns the counters that `holdfast report` writes of the file of one side. */
  async function reportOf(name: SideName): Promise<Partial<CountsView>> {
    const file = (ending: string) => path.join(holdfast.folder, `reports/live/latest/history-${name}.${ending}`);
    await commandLine(['report', file('ndjson'), '--json', file('json')]);
    const { users, writes, requests } = JSON.parse(await readFile(file('json'), 'utf8')).runs[0];
    const { loggedOut, exposed } = users;
    const { acknowledged, missing, lost } = writes;
    return { loggedOut, exposed, acknowledged, missing, lost, failed: requests.failed, unknown: requests.unknown };
  }

  const sentences = (of: Page) => of.locator('.side .sentence, .side .counters').allTextContents();

  it('has sent requests to its own origin alone, and has written no error', () => {
    expect([...requested]).to.deep.equal([origin]);
    expect(complaints).to.deep.equal([]);
  });
});

function pick(counts: Partial<CountsView>, names: readonly string[]): Partial<CountsView> {
  return Object.fromEntries(Object.entries(counts).filter(([name]) => names.includes(name)));
}
