import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { startRecordingServer } from '#src/record/recording-server.js';
import type { ClusterSpec } from '#src/simulator/cluster/start-cluster.js';
import { parseScenario, readScenario } from '#src/simulator/scenario/file.js';
import { writeScenario } from '#src/simulator/scenario/write.js';
import { launchChromium } from '../chromium.js';
import { commandLine } from '../commands/in-process.js';
import { withCluster } from '../simulator/processes.js';
import { withHttpServer } from '../with-http-server.js';
import { type ClickedApp, recordByClicking } from './browser-clicks.js';

const root = path.resolve(import.meta.dirname, '../../..');
const apps = path.join(root, 'test/record/apps');
const built = path.join(root, 'dist/test/record/apps');

interface TriedApp extends ClickedApp {
  /** The journey that a person has written for the app, under `users`. */
  readonly byHand: string;
  /** The verdict of killing one process: 1 where sessions are in its memory. */
  readonly verdict: 0 | 1;
}

/** Types and clicks in pages with forms. */
function clickForms(names: { user: string; password: string; item: string; shown: string }, start: string) {
  return {
    async clickThrough(page: Page, user: string, item: string) {
      await page.goto(new URL(start, page.url()).href);
      await page.locator(`[name="${names.user}"]`).fill(user);
      await page.locator(`[name="${names.password}"]`).fill('secret');
      await page.locator('form:has([type=password]) button').click();
      await page.locator(`[name="${names.item}"]:visible`).fill(item);
      await page.locator(`form:has([name="${names.item}"]:visible) button`).last().click();
      await page.locator(names.shown, { hasText: item }).waitFor();
      // What was done last is shown once. The page that lists the items shows them each time.
      await page.reload();
      await page.locator(names.shown, { hasText: item }).waitFor();
      await page.locator('form button').last().click();
      await page.locator('[type=password]').waitFor();
    },
    async visit(page: Page) {
      await page.goto(new URL(start, page.url()).href);
      await page.locator('[type=password]').waitFor();
    },
  };
}

async function clickSinglePage(page: Page, user: string, item: string): Promise<void> {
  await page.locator('#user').fill(user);
  await page.locator('#password').fill('secret');
  await page.locator('#in').click();
  await page.locator('#sku').fill(item);
  await page.locator('#add').click();
  await page.locator('li', { hasText: item }).waitFor();
  await page.locator('#out').click();
  await page.locator('#in').waitFor();
}

const tried: Record<string, TriedApp> = {
  'the Express example, with sessions in its memory': {
    words: ['--ready', '/health', '--directory', path.join(root, 'examples/express'), '--', 'node', 'server.js'],
    ...clickForms({ user: 'user', password: 'password', item: 'sku', shown: 'li' }, '/cart'),
    byHand: `
      login:
        before: { GET: /login }
        request: { POST: /login, form: { user: "{user}", password: secret, _csrf: "{csrf}" } }
        ok: { status: 302, redirect-to: /cart }
      add:
        before: { GET: /cart }
        request: { POST: /cart, form: { sku: "{token}", _csrf: "{csrf}" } }
        ok: { status: 302, redirect-to: /cart }
      read:
        request: { GET: /cart }
        ok: { status: 200 }
        items: { regexp: '<li data-sku="([^"]+)"' }
        who: { regexp: '<b id="user">([^<]+)</b>' }
      logout:
        before: { GET: /cart }
        request: { POST: /logout, form: { _csrf: "{csrf}" } }
      anonymous: { or-redirect-to: /login }
      carry:
        csrf: { regexp: 'name="_csrf" value="([^"]+)"' }`,
    verdict: 1,
  },
  'pages with a CSRF token for each form': {
    words: [
      ...['--ready', '/health', '--mode', 'redis', '--env', 'SESSIONS={run-dir}', '--directory', root],
      ...['--', 'node', path.join(built, 'rendered.js')],
    ],
    ...clickForms({ user: 'login[name]', password: 'login[pass]', item: 'sku', shown: '.sku' }, '/cart'),
    byHand: `
      login:
        before: { GET: /session/new }
        request: { POST: /session, form: { "login[name]": "{user}", "login[pass]": secret, authenticity_token: "{csrf}" } }
        ok: { status: 303 }
      add:
        before: { GET: /cart }
        request: { POST: "/carts/{cart}/items", form: { sku: "{token}", note: "", authenticity_token: "{csrf}" } }
      read:
        request: { GET: /cart }
        items: { regexp: '<td class="sku">([^<]+)<' }
        who: { regexp: '<b class="name">([^<]+)<' }
      logout:
        before: { GET: /cart }
        request: { POST: /session/end, form: { authenticity_token: "{csrf}" } }
      anonymous: { redirect-to: /session/new }
      carry:
        csrf: { regexp: 'name="authenticity_token" value="([^"]+)"' }
        cart: { regexp: '/carts/(\\d+)' }`,
    verdict: 0,
  },
  'a single page with bearer tokens': {
    words: [
      ...['--ready', '/health', '--mode', 'redis', '--env', 'SESSIONS={run-dir}', '--directory', root],
      ...['--', 'node', path.join(built, 'single-page.js')],
    ],
    clickThrough: clickSinglePage,
    visit: page => page.locator('#in').waitFor(),
    byHand: `
      login:
        request: { POST: /api/login, json: { user: "{user}", password: secret } }
        ok: { status: 201 }
      add:
        request: { POST: /api/cart/lines, json: { product: { title: "{token}" }, count: 1 }, headers: { authorization: "Bearer {access}" } }
        ok: { status: 201 }
      read:
        request: { GET: /api/cart, headers: { authorization: "Bearer {access}" } }
        items: "$.lines[*].product.title"
        who: $.owner.name
      logout:
        request: { DELETE: /api/login, headers: { authorization: "Bearer {access}" } }
      anonymous: { status: 401 }
      carry:
        access: { path: $.data.accessToken, from: login }`,
    verdict: 0,
  },
  'a single page that sends its origin and numbers, and makes a cart': {
    words: [
      ...['--ready', '/health', '--mode', 'redis', '--env', 'SESSIONS={run-dir}', '--directory', root],
      ...['--', 'node', path.join(built, 'strict.js')],
    ],
    clickThrough: clickSinglePage,
    visit: page => page.locator('#in').waitFor(),
    byHand: `
      login:
        request: { POST: /api/login, json: { user: "{user}", password: secret }, headers: { origin: "{origin}" } }
        after: { POST: /api/carts, headers: { origin: "{origin}" } }
      add:
        before: { GET: /api/me }
        request: { POST: "/api/carts/{cart}/lines", json: { title: "{token}", quantity: 1, gift: false, owner: "{owner:number}" }, headers: { origin: "{origin}" } }
        ok: { status: 201 }
      read:
        request: { GET: "/api/carts/{cart}" }
        items: "$.lines[*].title"
        who: $.owner.name
      logout:
        request: { POST: /api/logout, headers: { origin: "{origin}" } }
      anonymous: { status: 401 }
      carry:
        cart: { header: location, regexp: "/api/carts/(.+)", from: login }
        owner: $.id`,
    verdict: 0,
  },
  'pages of a Python program': {
    words: ['--ready', '/health', '--directory', apps, '--', 'exec python3 pages.py'],
    ...clickForms({ user: 'email', password: 'password', item: 'article', shown: '.article' }, '/basket'),
    byHand: `
      login:
        before: { GET: /signin }
        request: { POST: /signin, form: { email: "{user}", password: secret, csrf: "{csrf}" } }
        ok: { status: 303, redirect-to: /basket }
      add:
        before: { GET: /basket }
        request: { POST: /basket, form: { article: "{token}", csrf: "{csrf}" } }
        ok: { status: 303, redirect-to: /basket }
      read:
        request: { GET: /basket }
        ok: { status: 200 }
        items: { regexp: '<li class="article">([^<]+)<' }
        who: { regexp: '<em>([^<]+)<' }
      logout:
        before: { GET: /basket }
        request: { POST: /signout, form: { csrf: "{csrf}" } }
      anonymous: { redirect-to: /signin }
      carry:
        csrf: { regexp: 'name="csrf" value="([^"]+)"' }`,
    verdict: 1,
  },
};

/** Returns the scenario of a file with another journey. */
async function withJourney(file: string, byHand: string): Promise<string> {
  const scenario = await readScenario(file);
  const other = parseScenario(
    `name: a\nwhy: b\nmodes: [redis]\nusers:\n  arrivals: { rate: 1/s, for: 1s }\n  journey:${byHand}\n`,
    file,
  );
  return writeScenario({ ...scenario, users: { ...scenario.users, journey: other.users.journey } });
}

/** Starts one copy of the Express example. */
const express: ClusterSpec = {
  mode: 'sticky',
  stores: [],
  backends: {
    count: 1,
    env: {},
    own: {
      command: 'node server.js',
      directory: path.join(root, 'examples/express'),
      ready: { http: '/health', withinMs: 30_000 },
    },
  },
};

describe('holdfast record, in a browser', function () {
  this.timeout(180_000);
  let browser: Browser;
  let folder: string;
  before(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-record-'));
  });
  after(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const [index, [name, app]] of Object.entries(tried).entries())
    describe(`of ${name}`, () => {
      const file = () => path.join(folder, `app-${index}.yaml`);

      it('writes a journey that fits without a change', async () => {
        const { code, output } = await recordByClicking(browser, app, file(), ['--save', `${file()}.har`]);
        expect(code, output + (await readFile(file(), 'utf8').catch(() => ''))).to.equal(0);
        expect(output).to.include('the journey fits').and.not.match(/^!/m);
        const { journey } = (await readScenario(file())).users;
        expect(journey).to.have.property('logout').that.is.an('object');
        expect(journey).to.have.nested.property('read.who').that.is.an('object');
      });

      it('gives the verdict that the journey written by hand gives', async () => {
        const other = path.join(folder, `by-hand-${index}.yaml`);
        await writeFile(other, await withJourney(file(), app.byHand));
        const verdicts: unknown[] = [];
        for (const each of [file(), other]) {
          const { code, stdout, stderr } = await commandLine(['run', each]);
          expect(code, stdout + stderr).to.be.oneOf([0, 1]);
          verdicts.push(code);
        }
        expect(verdicts).to.deep.equal([app.verdict, app.verdict]);
      });
    });

  it('gives each pass cookies of its own, secure ones and those of a domain too', () =>
    withHttpServer(
      (asked, answer) => {
        const cookies = ['a=1; Secure', '__Host-b=2; Secure; Path=/', 'c=3; Domain=127.0.0.1', 'd=4; Domain=localhost'];
        answer.writeHead(200, { 'set-cookie': cookies, 'content-security-policy': 'upgrade-insecure-requests' });
        answer.end(asked.headers.cookie ?? 'none');
      },
      async app => {
        const typed = { user: 'a', item: 'b' };
        const server = await startRecordingServer({ app, typed: [typed, typed], port: 0, onChange: () => undefined });
        const context = await browser.newContext();
        try {
          const page = await context.newPage();
          const visit = async () => (await page.goto(server.state().address))?.text();
          expect([await visit(), await visit()]).to.deep.equal(['none', 'a=1; __Host-b=2; c=3; d=4']);
          server.restartPass();
          expect(await visit()).to.equal('none');
        } finally {
          await context.close();
          await server.close();
        }
      },
    ));

  describe('from HAR files of Playwright', () => {
    const app = tried['the Express example, with sessions in its memory'] ?? expect.fail('no such app');

    /** Clicks through the passes without our proxy. `contexts`: how many browsers without cookies it uses. */
    async function recordHars(origin: string, contexts: 1 | 3, name: string): Promise<string[]> {
      const files = Array.from({ length: contexts }, (_, index) => path.join(folder, `${name}-${index}.har`));
      const opened = await Promise.all(
        files.map(file => browser.newContext({ recordHar: { path: file, mode: 'full', content: 'embed' } })),
      );
      for (const number of [1, 2, 3]) {
        const context = opened[contexts === 1 ? 0 : number - 1] ?? expect.fail('no context');
        await context.clearCookies();
        const page = await context.newPage();
        await page.goto(origin);
        if (number === 3) await app.visit(page);
        else await app.clickThrough(page, `hf-user-${number}`, `hf-item-${number}`);
        await page.close();
      }
      await Promise.all(opened.map(context => context.close()));
      return files;
    }

    for (const contexts of [1, 3] as const)
      it(`writes a journey that fits, from ${contexts === 1 ? 'one file' : 'three files'}`, async () => {
        const files = await withCluster(express, ({ proxyUrl }) =>
          recordHars(proxyUrl, contexts, `express-${contexts}`),
        );
        const out = path.join(folder, `express-${contexts}.yaml`);
        const { code, stdout, stderr } = await commandLine(['record', '--har', ...files, '--out', out, ...app.words]);
        expect(code, stdout + stderr).to.equal(0);
        expect(stdout).to.include('the journey fits').and.not.match(/^!/m);
      });
  });
});
