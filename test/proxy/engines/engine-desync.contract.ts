import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { ask, raw } from '../ask.js';
import { type Answering, answerOk, type RecordedConnection, withRecorder } from '../recording-backend.js';
import type { Shortfalls } from '../shortfalls.js';
import { badAnswerBodies, badAnswerHeads, type Excess, excesses } from './desync-rows.js';
import { withEngine } from './with-engine.js';

/** The answer as the client saw it. */
type Got = { readonly status: number; readonly text: string } | 'cut';

/** Tests that bytes of one answer never reach another request, whatever a backend sends. */
export function itKeepsAnswersApart(make: EngineFactory, shortfalls: Shortfalls): void {
  describe('answers out of step', () => {
    for (const [what, bytes] of Object.entries(badAnswerHeads)) {
      shortfalls.it(what, `502 for ${what}`, () =>
        afterwardsInStep(
          make,
          socket => socket.write(bytes, 'latin1'),
          async got => {
            expect(got).to.deep.equal({ status: 502, text: 'no backend answered\n' });
          },
        ),
      );
    }
    for (const [what, bytes] of Object.entries(badAnswerBodies)) {
      shortfalls.it(what, `502, or an incomplete answer, for ${what}`, () =>
        afterwardsInStep(
          make,
          socket => socket.write(bytes, 'latin1'),
          async got => {
            expect(got === 'cut' ? 502 : got.status).to.equal(502);
          },
        ),
      );
    }
    for (const [what, excess] of Object.entries(excesses)) {
      shortfalls.it(what, `drops ${what} in the same packet`, () =>
        afterwardsInStep(
          make,
          socket => socket.write(excess.answer + excess.excess),
          got => isOnly(excess, got),
          excess.method,
        ),
      );
    }
    it('removes a length from an interim answer', () => hintsHaveNoBody(make));
    it('rejects a switch of protocols in HTTP/1.0', () => oldSwitch(make));
    it('forwards no trailer that frames or routes', () => trailersFrameNothing(make));
    it('drops bytes that come after an answer was forwarded', () => lateExcess(make));
  });
}

async function isOnly({ status, text }: Excess, got: Got): Promise<void> {
  // The engine may notice the fault before it forwards the answer, or after.
  if (got !== 'cut' && got.status !== 502) expect(got).to.deep.equal({ status, text });
}

/** Sends a first request that gets `bad`. The next requests must get their own answers, on any connection. */
async function afterwardsInStep(
  make: EngineFactory,
  bad: (socket: RecordedConnection['socket']) => void,
  check: (got: Got) => Promise<void>,
  method = 'GET',
): Promise<void> {
  const answering: Answering = (request, connection) => {
    if (request.target === '/bad') bad(connection.socket);
    else answerOk(request, connection);
  };
  await withRecorder(answering, recorder =>
    withEngine(make, [recorder.url], async engine => {
      const got = await ask(engine.url, '/bad', { method }).then(
        ({ status, text }): Got => ({ status, text }),
        (): Got => 'cut',
      );
      await check(got);
      for (const path of ['/1', '/2']) {
        const next = await ask(engine.url, path);
        expect(next).to.include({ status: 200, text: `GET ${path}` });
        expect(next.headers).to.not.have.property('x-stray');
      }
      expect(recorder.problems()).to.deep.equal([]);
    }),
  );
}

/** An idle connection with stray bytes must be closed before the next request uses it. */
async function lateExcess(make: EngineFactory): Promise<void> {
  await withRecorder(answerOk, recorder =>
    withEngine(make, [recorder.url], async engine => {
      for (const { excess } of Object.values(excesses)) {
        expect((await ask(engine.url, '/first')).text).to.equal('GET /first');
        const used = recorder.connections.at(-1);
        used?.socket.write(excess);
        await used?.closed;
        expect((await ask(engine.url, '/own')).text).to.equal('GET /own');
      }
    }),
  );
}

/** RFC 9110 §8.6: a client that believed the length would read the final answer as a body. */
async function hintsHaveNoBody(make: EngineFactory): Promise<void> {
  const hints =
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 500\r\nTransfer-Encoding: chunked\r\n\r\n';
  const answering: Answering = (request, connection) => {
    connection.socket.write(hints);
    answerOk(request, connection);
  };
  await withRecorder(answering, recorder =>
    withEngine(make, [recorder.url], async engine => {
      const answer = await raw(engine.url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      const interim = answer.slice(0, answer.indexOf('\r\n\r\n'));
      // A contradictory interim answer may be refused as a whole.
      if (interim.includes(' 502 ')) return;
      expect(interim).to.match(/^HTTP\/1\.1 103 [\s\S]*link: <\/a\.css>/i);
      expect(interim).to.not.match(/content-length|transfer-encoding/i);
    }),
  );
}

async function oldSwitch(make: EngineFactory): Promise<void> {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  const answering: Answering = (_, { socket }) => {
    socket.write(`HTTP/1.0 101 Switching Protocols\r\n${upgrade}\r\n`);
  };
  await withRecorder(answering, recorder =>
    withEngine(make, [recorder.url], async engine => {
      expect(await raw(engine.url, `GET / HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`)).to.match(/^HTTP\/1\.1 502 /);
    }),
  );
}

async function trailersFrameNothing(make: EngineFactory): Promise<void> {
  const answering: Answering = (_, { socket }) => {
    const trailers = 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nX-Sum: 1\r\n';
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${trailers}\r\n`);
  };
  await withRecorder(answering, recorder =>
    withEngine(make, [recorder.url], async engine => {
      const answer = await raw(engine.url, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n').catch(() => '');
      const trailers = answer.split('\r\n0\r\n')[1] ?? '';
      expect(trailers).to.not.match(/content-length|transfer-encoding|set-cookie/i);
    }),
  );
}
