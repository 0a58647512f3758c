/** Real clients, each with its own habits. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { Client, Pool } from 'undici';
import { engines } from '#src/proxy/engines/registry.js';
import { launchChromium } from '../chromium.js';
import { type TestProxy, withPool } from './with-proxy.js';

const exec = promisify(execFile);
/** Above this size curl sends `Expect: 100-continue` first. */
const large = randomBytes(1_500_000);
const checksum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Answers with what arrived: method, target, framing, checksum of the body, token. */
function describeRequest(name: string): RequestListener {
  return (request, response) => {
    const hash = createHash('sha256');
    request.on('data', chunk => hash.update(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const { 'transfer-encoding': coding, 'content-length': length, 'x-token': token } = headers;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, method, url, coding, length, token, sum: hash.digest('hex') }));
    });
  };
}

const three = ['backend-1', 'backend-2', 'backend-3'].map(describeRequest);

/** Returns curl's output. `-s` hides the progress meter; `-S` still shows errors. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await exec('curl', ['-sS', '--max-time', '10', ...args]);
  return stdout;
}

for (const engine of Object.keys(engines)) {
  const withThree = (use: (proxy: TestProxy) => Promise<void>) => withPool(three, { engine }, use);

  describe(`proxy: clients, engine ${engine}`, () => {
    describe('curl', () => {
      let folder = '';
      let file = '';

      before(async () => {
        folder = await mkdtemp(path.join(tmpdir(), 'holdfast-curl-'));
        file = path.join(folder, 'large');
        await writeFile(file, large);
      });

      after(() => rm(folder, { recursive: true }));

      it('keeps its connection and its cookie', () =>
        withThree(async ({ url }) => {
          const jar = path.join(folder, `jar-${engine}`);
          const told = ['-w', '\n%{http_code} %{num_connects}\n'];
          const lines = await curl('-c', jar, '-b', jar, ...told, `${url}/a`, `${url}/b`, `${url}/c`);
          expect(lines.match(/^\d{3} \d$/gm)).to.deep.equal(['200 1', '200 0', '200 0']);
          expect(new Set(lines.match(/backend-\d/g))).to.have.property('size', 1);
          const later = await curl('-b', jar, url);
          expect(later.match(/backend-\d/g)).to.deep.equal(lines.match(/backend-\d/g)?.slice(0, 1));
        }));

      it('gets an answer without chunks over HTTP/1.0', () =>
        withPool(
          [
            (_, response) => {
              // In chunks, which HTTP/1.0 does not have.
              response.write('one ');
              setImmediate(() => response.end('two'));
            },
          ],
          { engine },
          async ({ url }) => {
            const answer = await curl('--http1.0', '-i', `${url}/old`);
            expect(answer).to.match(/^HTTP\/1\.[01] 200 OK\r\n/);
            expect(answer).to.not.match(/transfer-encoding/i);
            expect(answer).to.match(/\r\n\r\none two$/);
          },
        ));

      it('gets 100 Continue before it sends a large body', () =>
        withThree(async ({ url }) => {
          const wait = ['--expect100-timeout', '60', '-H', 'Expect: 100-continue'];
          const { stdout, stderr } = await exec('curl', [
            '-sSv',
            '--max-time',
            '10',
            ...wait,
            '--data-binary',
            `@${file}`,
            url,
          ]);
          expect(stderr).to.match(/> Expect: 100-continue[\s\S]*< HTTP\/1\.1 100 Continue[\s\S]*< HTTP\/1\.1 200 OK/);
          expect(JSON.parse(stdout)).to.include({ method: 'POST', length: String(large.length), sum: checksum(large) });
        }));

      it('uploads a body of unknown length in chunks', () =>
        withThree(async ({ url }) => {
          const answer = exec('curl', ['-sS', '--max-time', '10', '-X', 'POST', '-T', '-', url]);
          answer.child.stdin?.end(large);
          const told = JSON.parse((await answer).stdout);
          expect(told).to.include({ method: 'POST', coding: 'chunked', sum: checksum(large) });
          expect(told).to.not.have.property('length');
        }));

      it('gets the head alone for HEAD', () =>
        withThree(async ({ url }) => {
          expect(await curl('-I', url)).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/);
        }));
    });

    describe('undici', () => {
      for (const pipelining of [1, 4]) {
        it(`${pipelining} requests at a time on one connection: each gets its own answer`, () =>
          withThree(async ({ url }) => {
            const client = new Client(url, { pipelining });
            const tokens = Array.from({ length: 40 }, (_, at) => `token-${at}`);
            const answers = await Promise.all(
              tokens.map(async token => {
                const { body } = await client.request({
                  path: `/${token}`,
                  method: 'GET',
                  headers: { 'x-token': token },
                });
                return Object(await body.json());
              }),
            );
            expect(answers.map(({ token }) => token)).to.deep.equal(tokens);
            expect(answers.map(({ url: path }) => path)).to.deep.equal(tokens.map(token => `/${token}`));
            await client.close();
          }));
      }

      it('uploads and downloads at once through a connection pool', () =>
        withThree(async ({ url }) => {
          const pool = new Pool(url, { connections: 4, pipelining: 1 });
          const bodies = Array.from({ length: 12 }, (_, at) => large.subarray(at, at + 100_000));
          const sums = await Promise.all(
            bodies.map(async sent => {
              const { body } = await pool.request({ path: '/', method: 'POST', body: sent });
              return Object(await body.json()).sum;
            }),
          );
          expect(sums).to.deep.equal(bodies.map(checksum));
          await pool.close();
        }));
    });

    it('answers ten requests in one packet in order, each with its own answer', () =>
      withThree(async ({ url }) => {
        const { hostname, port } = new URL(url);
        const socket = connect(Number(port), hostname);
        const requests = Array.from({ length: 10 }, (_, at) => {
          const last = at === 9 ? 'Connection: close\r\n' : '';
          const [method, fields, body] = at % 3 === 1 ? ['POST', 'Content-Length: 5\r\n', 'hello'] : ['GET', '', ''];
          return `${method} /${at} HTTP/1.1\r\nHost: x\r\nX-Token: ${at}\r\n${fields}${last}\r\n${body}`;
        });
        socket.write(requests.join(''));
        const answers = [...(await text(socket)).matchAll(/\{"name".*?\}/g)].map(([json]) => JSON.parse(json));
        expect(answers.map(({ url }) => url)).to.deep.equal(Array.from({ length: 10 }, (_, at) => `/${at}`));
        expect(answers.map(({ token }) => token)).to.deep.equal(Array.from({ length: 10 }, (_, at) => String(at)));
        expect(answers.filter(({ sum }) => sum === checksum(Buffer.from('hello')))).to.have.length(3);
      }));
  });
}

describe('proxy: a browser as client', () => {
  const parts = 30;
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });

  after(() => browser.close());

  /** A page that requests many parts at once and sends a form. Every part names its backend. */
  const page = (name: string): RequestListener => {
    const images = Array.from({ length: parts }, (_, at) => `<script src="/part-${at}.js"></script>`).join('');
    const form = '<form method="post" action="/form"><input name="dish" value="bread"><button>Send</button></form>';
    const html = `<!doctype html><title>${name}</title><link rel="icon" href="data:,"><script>seen=[]</script>${form}`;
    return async (request, response) => {
      const [, part] = /^\/part-(\d+)/.exec(request.url ?? '') ?? [];
      const type = part === undefined ? 'text/html' : 'text/javascript';
      response.setHeader('content-type', type);
      if (part !== undefined) response.end(`seen.push("${part} ${name}");`);
      else if (request.method === 'POST') response.end(`<title>${name}</title><p>${await text(request)}</p>`);
      else response.end(html + images);
    };
  };

  for (const engine of Object.keys(engines)) {
    it(`gets a whole page from one backend, sends a form to it, and returns to it, engine ${engine}`, () =>
      withPool(['backend-1', 'backend-2', 'backend-3'].map(page), { engine }, async (proxy, ...toys) => {
        const context = await browser.newContext();
        const tab = await context.newPage();
        const complaints: string[] = [];
        tab.on('requestfailed', request => complaints.push(request.url()));
        tab.on('pageerror', error => complaints.push(error.message));
        await tab.goto(proxy.url);
        const owner = await tab.title();
        const seen: unknown = await tab.evaluate('seen');
        expect(seen).to.deep.equal(Array.from({ length: parts }, (_, at) => `${at} ${owner}`));
        await tab.click('button');
        await tab.waitForURL(/\/form$/);
        expect(await tab.textContent('p')).to.equal('dish=bread');
        expect(await tab.title()).to.equal(owner);
        const [cookie] = await context.cookies();
        expect(cookie).to.include({ name: 'holdfast', httpOnly: true, sameSite: 'Lax' });
        // Another tab of the same browser, and another browser.
        const other = await context.newPage();
        await other.goto(proxy.url);
        expect(await other.title()).to.equal(owner);
        expect(toys.filter(toy => toy.seen.length > 0).map(({ name }) => name)).to.deep.equal([owner]);
        expect(complaints).to.deep.equal([]);
        await context.close();
      }));
  }
});
