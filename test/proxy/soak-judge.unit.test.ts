/** Checks that the soak's judge reports a wrong proxy: a check that cannot fail is worthless. */
import { Agent, createServer, type RequestListener } from 'node:http';
import { expect } from 'chai';
import { offences, type Shot } from './soak/judge.js';
import { pipeline } from './soak/pipeline.js';
import { PostLedger } from './soak/post-ledger.js';
import { shoot } from './soak/shoot.js';
import { trend } from './soak/trend.js';
import { planTroubles, type Trouble } from './soak/troubles.js';
import { drawWish, rightAnswer, type Wish } from './soak/wishes.js';
import { urlOf } from './toy-backend.js';

const fine: Shot = {
  kind: 'get',
  token: 't1',
  repeatable: true,
  startedMs: 5_000,
  endedMs: 5_100,
  end: 'answered',
  answer: { status: 200, token: 't1', backend: 'backend-1', incarnation: 'backend-1-77', proxyStatus: undefined },
  bodyRight: true,
  home: undefined,
};
const from = (answer: Partial<NonNullable<Shot['answer']>>): Partial<Shot> => ({
  answer: {
    status: 200,
    token: 't1',
    backend: 'backend-1',
    incarnation: 'backend-1-77',
    proxyStatus: undefined,
    ...answer,
  },
});
const own = (status: number, outcome: string): Partial<Shot> =>
  from({ status, token: undefined, backend: undefined, proxyStatus: `holdfast; error=x; outcome=${outcome}` });
const happens = (kind: Trouble['kind'], backend: string, fromMs: number, untilMs = fromMs + 50): Trouble => ({
  kind,
  backend,
  fromMs,
  untilMs,
  ...(kind === 'kill' && { deadMs: fromMs }),
});
const post: Partial<Shot> = { kind: 'post', repeatable: false };
const home = { backend: 'backend-2', incarnation: 'backend-2-78', knownMs: 4_000 };

const rows: readonly (readonly [
  what: string,
  shot: Partial<Shot>,
  troubles: readonly Trouble[],
  says: RegExp | undefined,
])[] = [
  ['a right answer', {}, [], undefined],
  ['an answer of another request', from({ token: 't2' }), [], /t1 was asked, t2 answered/],
  ['a body of another request', { bodyRight: false }, [], /body is not its own/],
  ['another status', from({ status: 500 }), [], /status 500/],
  ['no end', { end: 'late' }, [happens('hang', 'backend-1', 5_000)], /stuck/],
  [
    'no answer, even while a backend dies',
    { end: 'unanswered' },
    [happens('kill', 'backend-1', 5_050)],
    /without an answer/,
  ],
  ['no turn behind an answer that was cut', { end: 'unanswered', behindCut: true }, [], undefined],
  ['a client that left', { end: 'left', answer: undefined }, [], undefined],
  ['cut when its backend dies', { end: 'cut' }, [happens('kill', 'backend-1', 5_050)], undefined],
  ['cut when another dies', { end: 'cut' }, [happens('kill', 'backend-2', 5_050)], /nothing had happened to backend-1/],
  ['cut when its backend drains', { end: 'cut' }, [happens('drain', 'backend-1', 5_050)], /nothing had happened/],
  [
    'a tunnel that is closed by a drain',
    { ...from({ status: 101 }), kind: 'websocket', end: 'cut' },
    [happens('drain', 'backend-1', 5_050)],
    undefined,
  ],
  [
    'cut, and wrong as far as it came',
    { end: 'cut', bodyRight: false },
    [happens('kill', 'backend-1', 5_050)],
    /not its own/,
  ],
  [
    '502 to a POST when a backend dies',
    { ...post, ...own(502, 'unknown') },
    [happens('kill', 'backend-1', 5_050)],
    undefined,
  ],
  [
    '502 to a POST a second after a death',
    { ...post, ...own(502, 'unknown') },
    [happens('kill', 'backend-1', 3_999)],
    /no backend had died/,
  ],
  [
    '502 to a POST a second after the signal, when the process died slowly',
    { ...post, ...own(502, 'unknown') },
    [{ ...happens('kill', 'backend-2', 3_000), deadMs: 4_500 }],
    undefined,
  ],
  [
    '502 to a POST while a backend hangs',
    { ...post, ...own(502, 'unknown') },
    [happens('hang', 'backend-1', 5_050)],
    /no backend had died/,
  ],
  [
    '502 to a GET when a backend dies',
    own(502, 'unknown'),
    [happens('kill', 'backend-1', 5_050)],
    /not tried elsewhere/,
  ],
  [
    '502 that says it was not sent',
    { ...post, ...own(502, 'not-sent') },
    [happens('kill', 'backend-1', 5_050)],
    /proxy itself/,
  ],
  ['503', own(503, 'not-sent'), [happens('kill', 'backend-1', 5_050)], /proxy itself: 503/],
  ['504 while a backend hangs', own(504, 'unknown'), [happens('hang', 'backend-1', 5_050)], /proxy itself: 504/],
  ['moved from home', { home }, [], /moved from backend-2-78 to backend-1-77/],
  ['moved from home, which has drained', { home }, [happens('drain', 'backend-2', 4_500)], undefined],
  ['moved from home, which had died before', { home }, [happens('kill', 'backend-2', 3_000)], /moved/],
  ['to another boot of home', { ...from({ incarnation: 'backend-2-79' }), home }, [], /moved/],
];

describe('soak: what its judge reports', () => {
  for (const [what, shot, troubles, says] of rows) {
    it(what, () => {
      const found = offences({ ...fine, ...shot }, troubles);
      if (says === undefined) expect(found).to.deep.equal([]);
      else expect(found.join()).to.match(says);
    });
  }

  it('reports POSTs carried out twice, acknowledged but not carried out, or carried out though "not sent"', () => {
    const ledger = new PostLedger();
    for (const token of ['once', 'twice', 'secretly']) ledger.executed(token, 'backend-1-77');
    for (const token of ['once', 'twice']) ledger.acknowledged(token);
    expect(ledger.offences()).to.deep.equal([]);
    ledger.executed('twice', 'backend-2-78');
    ledger.acknowledged('never');
    ledger.notSent('secretly');
    expect(ledger.offences()).to.deep.equal([
      'POST carried out twice: twice by backend-1-77 and backend-2-78',
      'POST acknowledged and not carried out: never',
      'POST carried out, and said not to be sent: secretly',
    ]);
  });

  it('separates growth from noise in samples', () => {
    const at = (slope: number, off: number) =>
      Array.from({ length: 61 }, (_, i) => ({ atMs: i * 60_000, value: 80 + slope * i + (i % 2 === 0 ? off : -off) }));
    const leak = trend(at(0.5, 2));
    expect(leak?.growth).to.be.closeTo(30, 0.5);
    expect(leak?.perHour).to.be.closeTo(30, 0.5);
    expect(leak?.noise).to.be.closeTo(2, 0.1);
    expect(trend(at(0, 2))?.growth).to.be.closeTo(0, 0.5);
    expect(trend([])).to.equal(undefined);
  });

  it('makes the same plan for the same seed, with every kind in each lane and no overlap within a lane', () => {
    const plan = (seed: number) =>
      planTroubles({
        seed,
        durationMs: 120_000,
        meanGapMs: 2_000,
        lanes: [
          ['a', 'b'],
          ['c', 'd'],
        ],
      });
    expect(plan(1)).to.deep.equal(plan(1));
    expect(plan(1)).to.not.deep.equal(plan(2));
    for (const [lane, troubles] of plan(1).entries()) {
      expect(new Set(troubles.map(({ kind }) => kind)).size).to.equal(4);
      expect(troubles.every(({ backend }) => (lane === 0 ? 'ab' : 'cd').includes(backend))).to.equal(true);
      for (const [at, { atMs }] of troubles.entries()) {
        const before = troubles[at - 1];
        if (before !== undefined) expect(atMs).to.be.at.least(before.atMs + before.lastsMs);
      }
    }
  });
});

describe('soak: its clients detect a wrong server', () => {
  const answering = (token: (given: string) => string, body: (wish: string) => string): RequestListener => {
    return (request, response) => {
      const given = String(request.headers['x-token']);
      const answer = body(given);
      const length = { 'content-length': answer.length };
      response.writeHead(200, { ...length, 'x-token': token(given), 'x-backend': 'backend-1', 'x-incarnation': 'b-1' });
      response.end(answer);
    };
  };
  const wish: Wish = {
    ...drawWish(() => 0, 'mine'),
    kind: 'get',
    method: 'GET',
    bytes: 0,
    body: undefined,
    thinkMs: 0,
  };
  const servers: Record<string, readonly [RequestListener, RegExp | undefined]> = {
    right: [
      answering(
        given => given,
        given => `${given}\n`,
      ),
      undefined,
    ],
    'one that swaps heads': [
      answering(
        () => 'yours',
        given => `${given}\n`,
      ),
      /mine was asked, yours answered/,
    ],
    'one that swaps bodies': [
      answering(
        given => given,
        () => 'yours\n',
      ),
      /not its own/,
    ],
    'one that sends half': [
      answering(
        given => given,
        () => 'mi',
      ),
      /not its own/,
    ],
    'one that hangs up': [request => request.socket.destroy(), /without an answer/],
  };

  for (const [what, [handle, says]] of Object.entries(servers)) {
    it(what, async () => {
      const server = createServer(handle);
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
      const agent = new Agent();
      const url = urlOf(server).origin;
      const results = [await shoot(url, wish, agent, undefined), ...(await pipeline(url, [wish, wish], undefined))];
      server.closeAllConnections();
      server.close();
      for (const result of results) {
        const found = offences({ ...fine, token: wish.token, ...result }, []).join();
        if (says === undefined) expect(found).to.equal('');
        else expect(found).to.match(says);
      }
    });
  }

  it('builds the expected body', () => {
    expect(String(rightAnswer(wish))).to.equal('mine\n');
    expect(String(rightAnswer({ ...wish, bytes: 12 }))).to.equal('mine\nmine\nmi');
    expect(String(rightAnswer({ ...wish, method: 'HEAD' }))).to.equal('');
  });
});
