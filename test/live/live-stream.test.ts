import { expect } from 'chai';
import { applyChange } from '#src/live/changes.js';
import { LiveStreams, streamsMax } from '#src/live/live-stream.js';
import { type Frame, paths, type SideView, type Snapshot } from '#src/live/protocol.js';
import { withHttpServer } from '../with-http-server.js';
import { madeUpUser, madeUpView, noCounts } from './made-up-views.js';
import { type Live, madeUpSettings, Watch, withLive } from './with-live.js';

const strike: SideView['strikes'][number] = {
  id: 'kill-backend-2',
  fault: 'kill',
  target: 'backend-2',
  doneInWords: 'was killed',
  state: 'confirmed',
  requestedMs: 1000,
  confirmedMs: 1004,
  healedMs: null,
  exposed: 0,
  before: noCounts,
};

/** Shows another state of user 1 on the left side, and sends the frame. */
function moveUser(live: Live, turn: number): void {
  live.side('left').show({ users: [madeUpUser(1, 'in', `backend-${turn}`), madeUpUser(2)], nowMs: turn });
  live.session.tick();
}

function expectSameState(watch: Watch, { side }: Live): void {
  expect(watch.state?.left).to.deep.equal(side('left').shown);
  expect(watch.state?.right).to.deep.equal(side('right').shown);
}

describe('the stream of the live lab', () => {
  it('begins with a snapshot, then sends only what changed', async () => {
    await withLive(async live => {
      const watch = await live.watch();
      const snapshot = await watch.next('snapshot');
      expect(snapshot).to.deep.equal({
        kind: 'snapshot',
        settings: madeUpSettings,
        left: live.side('left').shown,
        right: live.side('right').shown,
      });
      live.side('left').show({ users: [madeUpUser(1, 'logged-out'), madeUpUser(2, 'in', 'backend-2')], nowMs: 1100 });
      live.session.tick();
      expect(await watch.next('frame')).to.deep.equal({
        kind: 'frame',
        left: { nowMs: 1100, users: [madeUpUser(1, 'logged-out')] },
      });
      expectSameState(watch, live);
    });
  });

  it('sends one frame a second when nothing changes but the clock', async () => {
    await withLive(async live => {
      const watch = await live.watch();
      await watch.next('snapshot');
      for (let atMs = 0; atMs <= 2000; atMs += 100) {
        live.side('left').show({ nowMs: atMs });
        live.session.tick(atMs);
      }
      await watch.until(() => watch.state?.left.nowMs === 2000);
      expect(watch.messages).to.deep.equal(
        [0, 1000, 2000].map(nowMs => ({ kind: 'frame', left: { nowMs }, right: { nowMs: 1000 } })),
      );
    });
  });

  it('sends a strike at once, and in no frame', async () => {
    await withLive(async live => {
      const watch = await live.watch();
      await watch.next('snapshot');
      live.side('right').show({ strikes: [strike] });
      live.side('right').onStrike(strike, 1004);
      expect(await watch.next('strike')).to.deep.equal({ kind: 'strike', side: 'right', nowMs: 1004, strike });
      live.side('right').show({ nowMs: 1100 });
      live.session.tick(Number.MAX_SAFE_INTEGER);
      expect((await watch.next('frame')).right).to.deep.equal({ nowMs: 1100 });
      expectSameState(watch, live);
    });
  });

  it('sends a page that was away for a short time exactly the missing messages', async () => {
    await withLive(async live => {
      const [away, here] = [await live.watch(), await live.watch()];
      await away.next('snapshot');
      moveUser(live, 1);
      await away.next('frame');
      away.close();
      for (let turn = 2; turn <= 6; turn += 1) moveUser(live, turn);
      const back = await live.watch(away.lastId);
      back.state = away.state;
      await here.until(() => here.lastId === 6);
      await back.until(() => back.lastId === 6);
      expect(back.messages.map(({ kind }) => kind)).to.deep.equal(['frame', 'frame', 'frame', 'frame', 'frame']);
      // The state before these messages is that of the closed stream.
      const left = back.messages.reduce<SideView>(
        (view, message) => (message.kind === 'frame' && message.left ? applyChange(view, message.left) : view),
        away.state?.left ?? madeUpView(),
      );
      expect(left).to.deep.equal(live.side('left').shown);
      expectSameState(here, live);
    });
  });

  it('sends nothing to a page that missed nothing, until there is news', async () => {
    await withLive(async live => {
      const away = await live.watch();
      await away.next('snapshot');
      const back = await live.watch(away.lastId);
      back.state = away.state;
      moveUser(live, 3);
      expect((await back.next('frame')).left?.users).to.have.length(2);
      expectSameState(back, live);
    });
  });

  for (const id of [999, Number.NaN]) {
    it(`sends a snapshot to a page with the id ${id}, which it has not sent`, async () => {
      await withLive(async live => {
        moveUser(live, 2);
        const watch = await live.watch(id);
        await watch.next('snapshot');
        expect(watch.lastId).to.equal(1);
        expectSameState(watch, live);
      });
    });
  }

  it('gives two pages the same state, whenever they came', async () => {
    await withLive(async live => {
      const early = await live.watch();
      for (let turn = 1; turn <= 3; turn += 1) moveUser(live, turn);
      const late = await live.watch();
      for (let turn = 4; turn <= 6; turn += 1) moveUser(live, turn);
      await early.until(() => early.lastId === 6);
      await late.until(() => late.lastId === 6);
      expect(late.state).to.deep.equal(early.state);
      expectSameState(late, live);
    });
  });

  it('ends each stream with the last state and with what was written', async () => {
    await withLive(async live => {
      const watches = [await live.watch(), await live.watch()];
      live.side('left').show({ nowMs: 7777 });
      await live.session.end('Ctrl-C.', async () => ['reports/live/now/report.html']);
      for (const watch of watches) {
        await watch.ended();
        const kinds = watch.messages.map(({ kind }) => kind).filter(kind => kind !== 'frame');
        expect(kinds).to.deep.equal(['snapshot', 'over', 'over']);
        expect(watch.messages.at(-1)).to.deep.equal({
          kind: 'over',
          reason: 'Ctrl-C.',
          files: ['reports/live/now/report.html'],
        });
        expectSameState(watch, live);
      }
    });
  });

  it('answers one page too many with 503, and serves it when another page has closed', async () => {
    await withLive(async live => {
      const open = await Promise.all(Array.from({ length: streamsMax }, () => live.watch()));
      const refused = await live.ask(paths.stream);
      expect([refused.status, refused.body]).to.deep.equal([503, '16 pages are open; close one of them.\n']);
      open[0]?.close();
      // The server learns of the closed connection a moment later.
      let answer: Watch | undefined;
      while (answer === undefined) answer = await live.watch().catch(() => undefined);
      await answer.next('snapshot');
    });
  });
});

/** Serves one stream with a clock that the test sets. `sent` is the state after the last message. */
async function withStream(
  work: (stream: LiveStreams, open: (lastEventId?: number) => Promise<Watch>, lab: StreamLab) => Promise<void>,
): Promise<void> {
  const lab: StreamLab = { nowMs: 0, unread: () => 0, sent: madeUpView() };
  const snapshot = (): Snapshot => ({ kind: 'snapshot', settings: madeUpSettings, left: lab.sent });
  const stream = new LiveStreams(snapshot, () => lab.nowMs);
  await withHttpServer(
    (request, response) => {
      stream.open(request, response);
      lab.unread = () => response.writableLength;
    },
    async origin => {
      await work(stream, id => Watch.open(Number(new URL(origin).port), '', id), lab);
      stream.close();
    },
  );
}

interface StreamLab {
  nowMs: number;
  sent: SideView;
  /** Number of bytes that the server holds for the newest reader. */
  unread(): number;
}

function sendFrame(stream: LiveStreams, lab: StreamLab, changed: Partial<SideView>): void {
  const change = { ...changed, nowMs: lab.nowMs };
  lab.sent = applyChange(lab.sent, change);
  const frame: Frame = { kind: 'frame', left: change };
  stream.send(frame);
}

describe('the ring of the stream', () => {
  it('holds 30 s: a page that was away for longer gets a snapshot', async () => {
    await withStream(async (stream, open, lab) => {
      for (let second = 0; second <= 40; second += 1) {
        lab.nowMs = second * 1000;
        sendFrame(stream, lab, { problem: `second ${second}` });
      }
      // Message 1 was sent at 0 s. The messages of the last 30 s have the ids from 11 on.
      const [inside, outside] = [await open(10), await open(9)];
      await inside.until(() => inside.messages.length === 31);
      expect(inside.messages.every(({ kind }) => kind === 'frame')).to.equal(true);
      expect((await outside.next('snapshot')).left).to.deep.equal(lab.sent);
      lab.nowMs = 300_000;
      // The machine slept for minutes, and nothing was sent since.
      await (await open(40)).next('snapshot');
    });
  });

  it('stays bounded when messages are large', async () => {
    await withStream(async (stream, open, lab) => {
      const problem = 'x'.repeat(100_000);
      for (let turn = 0; turn < 100; turn += 1) sendFrame(stream, lab, { problem });
      await (await open(50)).next('snapshot');
      const near = await open(70);
      await near.until(() => near.lastId === 100);
      expect(near.messages).to.have.length(30);
    });
  });
});

describe('a reader that does not read', () => {
  it('costs the server one unread message, and gets a snapshot when it reads again', async () => {
    await withStream(async (stream, open, lab) => {
      const watch = await open();
      await watch.next('snapshot');
      watch.response.pause();
      const users = Array.from({ length: 400 }, (_, at) => madeUpUser(at));
      let most = 0;
      // The buffers of the kernel hold some megabytes. These are 20 MB.
      for (let turn = 0; turn < 700; turn += 1) {
        const member = `backend-${turn}`;
        sendFrame(stream, lab, { users: users.map(user => ({ ...user, member })) });
        most = Math.max(most, lab.unread());
        if (turn % 10 === 0) await new Promise(setImmediate);
      }
      expect(most, 'unread bytes').to.be.within(1, 3 * JSON.stringify(lab.sent).length);
      watch.response.resume();
      await watch.until(() => watch.lastId === 700);
      expect(watch.state?.left).to.deep.equal(lab.sent);
      expect(watch.messages.length, 'messages').to.be.lessThan(650);
      expect(watch.messages.at(-1)?.kind).to.equal('snapshot');
      sendFrame(stream, lab, { problem: 'news' });
      await watch.until(() => watch.state?.left.problem === 'news');
    });
  });
});
