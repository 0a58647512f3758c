/** Tests the access log on a FIFO and on stdout: no reader, a reader that stops, a reader that leaves. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { AccessLog } from '#src/proxy/telemetry/access-log.js';
import { describeEngineAnswer, type ServedRequest } from '#src/proxy/telemetry/served-request.js';
import { until, withHoldfast } from '../../commands/holdfast.js';
import { ask } from '../ask.js';
import { withToys } from '../toy-backend.js';

async function withFifo(use: (fifo: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-fifo-'));
  const fifo = path.join(folder, 'log');
  execFileSync('mkfifo', [fifo]);
  try {
    await use(fifo);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Reads the FIFO in a process of its own. */
class Reader {
  readonly #process: ChildProcess;
  /** Resolves when it is gone: at the end of the FIFO it leaves by itself. */
  readonly #closed: Promise<unknown>;
  #text = '';

  constructor(fifo: string) {
    this.#process = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#closed = once(this.#process, 'close');
    this.#process.stdout?.on('data', chunk => (this.#text += chunk));
  }

  get lines(): string[] {
    return this.#text.split('\n').slice(0, -1);
  }

  /** Resolves when it is gone and all that it read has arrived. */
  async leave(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }
}

/** A request with a line of about 1,200 characters. */
function request(nth: number): ServedRequest {
  const known = { method: 'GET', path: `/${nth}/`.padEnd(1024, 'x'), clientAddress: '127.0.0.1', status: 200 };
  const answer = {
    ...known,
    cause: 'malformed',
    text: '',
    secure: false,
    protocol: undefined,
    inExchange: false,
  } as const;
  return { ...describeEngineAnswer(answer), ended: 'answered', reason: undefined, headMs: 1, totalMs: 1 };
}

function write(log: AccessLog, from: number, to: number): void {
  for (let nth = from; nth < to; nth += 1) log.write(request(nth));
}

const listening = /listening on (http:\S+), admin API on (http:\S+)/;
const place = ['--port=0', '--admin-port=0'];

describe('access log: a FIFO', function () {
  this.timeout(30_000);
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  for (const workers of ['1', '2']) {
    it(`without a reader stops neither the start nor the end of the proxy (${workers} processes)`, () =>
      withFifo(fifo =>
        withToys([undefined], toy => {
          const args = ['proxy', ...place, `--workers=${workers}`, '--backend', toy.url.origin, '--access-log', fifo];
          return withHoldfast(args, async ({ sees, output, child, ended }) => {
            await sees(listening);
            const [, url = ''] = listening.exec(output.stderr) ?? [];
            expect((await ask(url, '/')).status).to.equal(200);
            await sees('no process reads it; lines wait');
            child.kill('SIGTERM');
            expect(await ended(), output.stderr).to.equal(0);
            expect(output.stderr).to.include('lines lost: 1');
          });
        }),
      ));
  }

  it('with a reader that reads nothing does not keep the proxy from ending', () =>
    withFifo(fifo =>
      withToys([undefined], async toy => {
        const stalled = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK);
        const args = ['proxy', ...place, '--backend', toy.url.origin, '--access-log', fifo];
        await withHoldfast(args, async ({ sees, output, child, ended }) => {
          await sees(listening);
          const [, url = ''] = listening.exec(output.stderr) ?? [];
          const asked = Array.from({ length: 300 }, () => ask(url, `/${'x'.repeat(1000)}`));
          expect(new Set((await Promise.all(asked)).map(({ status }) => status))).to.deep.equal(new Set([200]));
          child.kill('SIGTERM');
          expect(await ended(), output.stderr).to.equal(0);
          expect(output.stderr).to.match(/lines lost: \d+/);
        });
        await stalled.close();
      }),
    ));

  it('gets the lines that waited for its reader, each whole and in order', () =>
    withFifo(async fifo => {
      const log = await AccessLog.open(fifo);
      write(log, 0, 500);
      const reader = new Reader(fifo);
      await until(
        () => reader.lines.length === 500,
        15_000,
        () => `500 lines, not ${reader.lines.length}`,
      );
      expect(reader.lines.map(line => Number(JSON.parse(line).path.split('/')[1]))).to.deep.equal([
        ...Array(500).keys(),
      ]);
      await log.close();
      await reader.leave();
      expect(log.lost).to.equal(0);
    }));

  it('counts every line that no reader got after the reader left, and goes on with the next reader', () =>
    withFifo(async fifo => {
      const first = new Reader(fifo);
      const log = await AccessLog.open(fifo);
      write(log, 0, 10);
      await until(
        () => first.lines.length === 10,
        15_000,
        () => 'the first lines',
      );
      await first.leave();
      write(log, 10, 10_000);
      expect(log.lost).to.be.greaterThan(1000);
      const second = new Reader(fifo);
      await until(
        () => second.lines.length === 9990 - log.lost,
        15_000,
        () => `${second.lines.length} lines and ${log.lost} lost`,
      );
      write(log, 10_000, 10_001);
      await log.close();
      await until(
        () => second.lines.at(-1)?.includes('"/10000/') === true,
        15_000,
        () => 'the last line',
      );
      await second.leave();
      expect(first.lines.length + second.lines.length + log.lost).to.equal(10_001);
    })).timeout(60_000);
});

describe('access log: stdout', () => {
  it('that is a pipe without a reader stops neither requests nor the end', function () {
    if (process.platform !== 'linux') this.skip();
    return withToys([undefined], toy => {
      const args = ['proxy', ...place, '--backend', toy.url.origin, '--access-log', '-'];
      return withHoldfast(args, async ({ sees, output, child, ended }) => {
        await sees(listening);
        const [, url = ''] = listening.exec(output.stderr) ?? [];
        child.stdout?.pause();
        const asked = Array.from({ length: 400 }, () => ask(url, `/${'x'.repeat(1000)}`));
        expect(new Set((await Promise.all(asked)).map(({ status }) => status))).to.deep.equal(new Set([200]));
        child.stdout?.destroy();
        expect((await ask(url, '/')).status).to.equal(200);
        child.kill('SIGTERM');
        expect(await ended(), output.stderr).to.equal(0);
      });
    });
  });
});
