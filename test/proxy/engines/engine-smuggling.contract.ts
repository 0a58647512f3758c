import { connect } from 'node:net';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { raw } from '../ask.js';
import { answerOk, type Recorder, withRecorder } from '../recording-backend.js';
import { copies, type Shortfalls } from '../shortfalls.js';
import { withTcp } from '../toy-backend.js';
import { badBodies, badHeads, oddRequests, type Row, type Seen } from './smuggling-rows.js';
import { type SeenRequest, valuesOf } from './strict-requests.js';
import { type RunningEngine, withEngine } from './with-engine.js';

/** Follows each row. If a backend sees it, the row was read differently. */
const follower = 'GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

interface Bench {
  readonly recorder: Recorder;
  readonly engine: RunningEngine;
  /** Sends these bytes and the follower. Returns the answer and what the backend saw until the connection closed. */
  send(bytes: string): Promise<{ answer: string; seen: SeenRequest[]; offered: number }>;
}

/** Tests that no ambiguous request is forwarded, and that no request hides in another. */
export function itForwardsNothingAmbiguous(make: EngineFactory, shortfalls: Shortfalls): void {
  describe('smuggling', () => {
    let bench: Bench;
    let stop = (): void => {};
    let stopped: Promise<void>;

    before(
      () =>
        new Promise<void>((resolve, reject) => {
          const held = new Promise<void>(release => (stop = release));
          stopped = withRecorder(answerOk, recorder =>
            withEngine(make, [recorder.url], engine => {
              bench = { recorder, engine, send: bytes => send(recorder, engine, bytes) };
              resolve();
              return held;
            }),
          );
          stopped.catch(reject);
        }),
    );
    after(() => {
      stop();
      return stopped;
    });
    // A connection with stray bytes would give the next request a wrong answer.
    afterEach('no ambiguous request arrived, and the next request gets its own answer', async () => {
      expect(bench.recorder.problems()).to.deep.equal([]);
      const path = `/own-${bench.recorder.requests.length}`;
      const answer = await raw(bench.engine.url, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).to.match(/^HTTP\/1\.1 200 /);
      expect(answer.endsWith(`GET ${path}`), answer).to.equal(true);
      expect(bench.recorder.requests.at(-1)?.target).to.equal(path);
    });

    for (const [what, row] of Object.entries(badHeads)) {
      shortfalls.it(what, `${row.slice(1).join(' or ') || 400} and close for ${what}; nothing is forwarded`, () =>
        refusesHead(bench, row),
      );
    }
    for (const [what, bytes] of Object.entries(badBodies)) {
      shortfalls.it(what, `400 and close for ${what}; no complete request is forwarded`, () =>
        refusesBody(bench, bytes),
      );
    }
    shortfalls.it(copies, `forwards ${copies}`, async () => {
      const { seen } = await bench.send('GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\nUser-Agent: b\r\n\r\n');
      expect(valuesOf(seen[0]?.fields ?? [], 'user-agent').join(', ')).to.equal('a, b');
    });
    for (const size of ['80000000', 'ffffffff', '100000005'])
      it(`forwards no chunk size of 0x${size}: the data is put into smaller chunks, or refused`, () =>
        forwardsNoLargeChunk(make, size));
    for (const [what, [bytes, seen]] of Object.entries(oddRequests)) {
      shortfalls.it(what, `${seen.mayRefuse ? 'refused, or ' : ''}read in its only meaning: ${what}`, () =>
        readsInOneWay(bench, bytes, seen),
      );
    }
  });
}

/** A backend or a client that counts in 32 bits would read another size. */
async function forwardsNoLargeChunk(make: EngineFactory, size: string): Promise<void> {
  const chunked = `Transfer-Encoding: chunked\r\n\r\n${size}\r\nabcde`;
  let byBackend = '';
  await withTcp(
    socket =>
      socket.on('data', data => {
        byBackend += data.toString('latin1');
        if (/^GET/.test(byBackend) || byBackend.endsWith('abcde\r\n')) socket.write(`HTTP/1.1 200 OK\r\n${chunked}`);
      }),
    backend =>
      withEngine(make, [backend], async ({ url }) => {
        const asks = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', `POST / HTTP/1.1\r\nHost: x\r\n${chunked}`];
        for (const bytes of asks) {
          byBackend = '';
          const byClient = await firstPart(url, bytes);
          expect(byClient).to.match(/^HTTP\/1\.1 (?:200|400|502) /);
          for (const seen of [byBackend, byClient]) expect(seen).to.not.match(new RegExp(`\\r\\n0*${size}\\r\\n`, 'i'));
        }
      }),
  );
}

/** Returns what comes back up to the data of the test, or up to the end. */
async function firstPart(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(bytes);
  let received = '';
  for await (const data of socket) {
    received += data;
    if (received.includes('abcde') || received.includes('no backend answered')) break;
  }
  return received;
}

async function send(recorder: Recorder, engine: RunningEngine, bytes: string): ReturnType<Bench['send']> {
  const before = recorder.requests.length;
  const offeredBefore = engine.exchanges.length;
  const answer = await raw(engine.url, bytes + follower);
  return {
    answer,
    seen: recorder.requests.slice(before),
    offered: engine.exchanges.length - offeredBefore,
  };
}

async function refusesHead({ send }: Bench, [bytes, ...statuses]: Row): Promise<void> {
  const { answer, seen, offered } = await send(bytes);
  expect(answer).to.match(new RegExp(`^HTTP/1\\.1 (?:${statuses.join('|') || 400}) `));
  expect(answer).to.match(/\r\nconnection: close\r\n/i);
  expect([offered, seen]).to.deep.equal([0, []]);
}

async function refusesBody({ send }: Bench, bytes: string): Promise<void> {
  const { answer, seen, offered } = await send(bytes);
  expect(answer).to.match(/^HTTP\/1\.1 400 [\s\S]*\r\nconnection: close\r\n/i);
  expect(seen).to.deep.equal([]);
  expect(offered).to.be.lessThan(2);
}

async function readsInOneWay({ send }: Bench, bytes: string, expected: Seen): Promise<void> {
  const { answer, seen, offered } = await send(bytes);
  if (expected.mayRefuse && /^HTTP\/1\.1 (?:400|417|501) /.test(answer)) {
    expect(answer).to.match(/\r\nconnection: close\r\n/i);
    expect(seen).to.deep.equal([]);
    expect(offered).to.be.lessThan(2);
    return;
  }
  expect(answer).to.match(/^HTTP\/1\.1 200 /);
  const [first, second, ...more] = seen;
  expect(`${first?.method} ${first?.target}`).to.equal(expected.line);
  expect(first?.body).to.equal(expected.body ?? '');
  const names = first?.fields.map(([name]) => name.toLowerCase()) ?? [];
  expect(names).to.include.members(expected.has ?? []);
  for (const name of expected.hasNot ?? []) expect([...names, ...trailerNames(first)]).to.not.include(name);
  expect(trailerNames(first)).to.include.members(expected.trailers ?? []);
  if (expected.host !== undefined) expect(valuesOf(first?.fields ?? [], 'host')).to.deep.equal([expected.host]);
  expect(second?.target ?? '/smuggled').to.equal('/smuggled');
  expect(more).to.deep.equal([]);
}

function trailerNames(request: SeenRequest | undefined): string[] {
  return request?.trailers.map(([name]) => name.toLowerCase()) ?? [];
}
