import { expect } from 'chai';
import { type Live, withLive } from './with-live.js';

const problemsOf = async (live: Live, command: unknown) => JSON.parse((await live.command(command)).body).problems;
const strike = (...sides: string[]) => ({
  do: 'strike',
  sides,
  fault: 'slow',
  target: 'backend-2',
  options: { delay: '200ms' },
});

/** A promise that a test settles. */
function gate(): { opened: Promise<void>; open(): void; fail(error: Error): void } {
  let [open, fail] = [() => {}, (_error: Error) => {}];
  const opened = new Promise<void>((resolve, reject) => ([open, fail] = [resolve, reject]));
  opened.catch(() => {});
  return { opened, open: () => open(), fail: error => fail(error) };
}

describe('a command of the live page', () => {
  it('strikes the sides that it names, and no other', async () => {
    await withLive(async live => {
      await live.session.start();
      expect(await problemsOf(live, strike('left', 'right', 'left'))).to.deep.equal([]);
      expect(await problemsOf(live, strike('right'))).to.deep.equal([]);
      const call = ['strike', 'slow', 'backend-2', { delay: '200ms' }];
      expect(live.side('left').calls).to.deep.equal([call]);
      expect(live.side('right').calls).to.deep.equal([call, call]);
    });
  });

  it('says for each side why it was not carried out', async () => {
    await withLive(async live => {
      await live.session.start();
      live.side('left').problem = 'slow strikes backend-2 already';
      expect(await problemsOf(live, strike('left', 'right'))).to.deep.equal([
        { side: 'left', problem: 'slow strikes backend-2 already' },
      ]);
      live.side('right').show({ stage: 'failed' });
      expect(await problemsOf(live, { do: 'heal', sides: ['right'], member: 'backend-2' })).to.deep.equal([
        { side: 'right', problem: 'The right side is not running: its stage is "failed".' },
      ]);
    });
  });

  it('changes the number of users on both sides, and tells every page', async () => {
    await withLive(async live => {
      await live.session.start();
      const watch = await live.watch();
      await watch.next('snapshot');
      expect(await problemsOf(live, { do: 'set-users', count: 100 })).to.deep.equal([]);
      expect((await watch.next('frame')).settings?.users).to.equal(100);
      expect(live.side('left').calls).to.deep.equal([['setUsers', 100]]);
      expect(live.side('right').calls).to.deep.equal([['setUsers', 100]]);
      expect(await problemsOf(live, { do: 'set-users', count: 401 })).to.deep.equal([
        { problem: '401 users: expected 8 to 400.' },
      ]);
    });
  });

  it('replaces the system of one side by another mode; the page empties the lists of that side', async () => {
    await withLive(async live => {
      await live.session.start();
      const watch = await live.watch();
      await watch.next('snapshot');
      expect(await problemsOf(live, { do: 'set-mode', side: 'left', mode: 'jwt' })).to.deep.equal([]);
      expect(live.made.left.map(({ shown }) => [shown.mode, shown.stage])).to.deep.equal([
        ['sticky', 'over'],
        ['jwt', 'running'],
      ]);
      expect(live.made.right).to.have.length(1);
      live.session.tick();
      await watch.until(() => watch.state?.left.mode === 'jwt' && watch.state.left.stage === 'running');
      const began = watch.messages.filter(message => message.kind === 'frame' && message.left?.isNew);
      expect(began).to.have.length(1);
      expect(watch.state?.left).to.deep.equal(live.side('left').shown);
    });
  });

  it('tells each system where the live lab is, also the one of another mode, and never the token', async () => {
    await withLive(async live => {
      const { origin } = live.server;
      expect(origin).to.equal(`http://127.0.0.1:${live.server.port}`);
      await live.session.start(origin);
      await live.session.do({ do: 'set-mode', side: 'left', mode: 'jwt' });
      const told = [...live.made.left, ...live.made.right].map(({ liveLab }) => liveLab);
      expect(told).to.deep.equal([origin, origin, origin]);
    });
  });

  it('names the nearest mode when it does not know the wished one', async () => {
    await withLive(async live => {
      expect(await problemsOf(live, { do: 'set-mode', side: 'left', mode: 'redi' })).to.deep.equal([
        { side: 'left', problem: 'unknown mode "redi". Did you mean "redis"? Known: sticky, redis, jwt.' },
      ]);
    });
  });

  it('starts only the last of several wishes for one side', async () => {
    await withLive(async live => {
      await live.session.start();
      const wishes = ['redis', 'jwt', 'sticky', 'jwt'];
      await Promise.all(wishes.map(mode => live.session.do({ do: 'set-mode', side: 'left', mode })));
      expect(live.made.left.map(({ shown }) => [shown.mode, shown.stage])).to.deep.equal([
        ['sticky', 'over'],
        ['jwt', 'running'],
      ]);
    });
  });

  it('starts both sides again with the next seed', async () => {
    await withLive(async live => {
      await live.session.start();
      const watch = await live.watch();
      expect(await problemsOf(live, { do: 'next-seed' })).to.deep.equal([]);
      expect([live.made.left.length, live.made.right.length]).to.deep.equal([2, 2]);
      await watch.until(() => watch.state?.settings.seed === 43);
    });
  });

  it('clears both sides; the next frame begins anew', async () => {
    await withLive(async live => {
      await live.session.start();
      live.side('left').show({ marks: [{ kind: 'lost', user: 'user-1', sinceMs: 1, seenMs: 2 }] });
      live.session.tick();
      const watch = await live.watch();
      expect((await watch.next('snapshot')).left.marks).to.have.length(1);
      await problemsOf(live, { do: 'clear' });
      live.session.tick();
      await watch.until(() => watch.messages.some(message => message.kind === 'frame' && message.left?.isNew === true));
      expect(watch.state?.left.marks).to.deep.equal([]);
    });
  });

  it('changes nothing while recorded histories are played', async () => {
    await withLive(
      async live => {
        await live.session.start();
        for (const command of [strike('left'), { do: 'clear' }, { do: 'next-seed' }]) {
          expect(await problemsOf(live, command)).to.deep.equal([
            { problem: 'Recorded histories are played: nothing can be changed.' },
          ]);
        }
        expect(live.side('left').calls).to.deep.equal([]);
      },
      { isReplay: true },
    );
  });
});

describe('a session of the live lab', () => {
  it('goes on with the other side when one fails to start, and says which failed', async () => {
    const broken = gate();
    await withLive(
      async live => {
        broken.fail(new Error('no redis-server found'));
        await live.session.start();
        expect(live.failed).to.deep.equal([{ side: 'right', problem: 'no redis-server found' }]);
        expect(live.session.isAlive).to.equal(true);
        expect(live.side('left').shown.stage).to.equal('running');
        expect(await problemsOf(live, { do: 'set-mode', side: 'right', mode: 'jwt' })).to.deep.equal([
          { side: 'right', problem: 'no redis-server found' },
        ]);
      },
      {},
      (side, name) => {
        if (name === 'right') side.starting = broken.opened;
      },
    );
  });

  it('gives a side that was starting the number of users that was wished meanwhile', async () => {
    const slow = gate();
    await withLive(
      async live => {
        const started = live.session.start();
        expect(await problemsOf(live, { do: 'set-users', count: 20 })).to.deep.equal([]);
        slow.open();
        await started;
        expect(live.side('left').calls).to.deep.equal([['setUsers', 20]]);
      },
      {},
      side => (side.starting = slow.opened),
    );
  });

  it('ends with every side stopped and judged, also a side that is just being replaced', async () => {
    const slow = gate();
    await withLive(async live => {
      await live.session.start();
      live.side('left').stop = async () => {
        await slow.opened;
        live.made.left[0]?.show({ stage: 'over' });
      };
      const changed = live.session.do({ do: 'set-mode', side: 'left', mode: 'jwt' });
      const ended = live.session.end('The time is over.', async () => []);
      slow.open();
      await Promise.all([changed, ended]);
      expect(live.made.left).to.have.length(1);
      expect(live.side('left').shown.stage).to.equal('over');
      expect(live.side('right').calls).to.deep.equal(['stop', 'judgeAll']);
      expect(await problemsOf(live, { do: 'clear' })).to.deep.equal([{ problem: 'The command has ended.' }]);
    });
  });

  it('stops both sides and tells the pages before it writes the files, which may take long', async () => {
    const writing = gate();
    await withLive(async live => {
      await live.session.start();
      const watch = await live.watch();
      let callsAtWriting: unknown[] = [];
      const ended = live.session.end('Ctrl-C.', async () => {
        callsAtWriting = [...live.side('left').calls];
        await writing.opened;
        return ['report.html'];
      });
      expect(await watch.next('over')).to.deep.equal({ kind: 'over', reason: 'Ctrl-C.', files: [], isWriting: true });
      expect(callsAtWriting).to.deep.equal(['stop', 'judgeAll']);
      writing.open();
      await ended;
      expect(await watch.next('over')).to.deep.equal({ kind: 'over', reason: 'Ctrl-C.', files: ['report.html'] });
    });
  });

  it('ends with one message when there is nothing to write', async () => {
    await withLive(async live => {
      const watch = await live.watch();
      await live.session.end('Ctrl-C.');
      await watch.ended();
      expect(watch.messages.filter(({ kind }) => kind === 'over')).to.deep.equal([
        { kind: 'over', reason: 'Ctrl-C.', files: [] },
      ]);
    });
  });

  it('warns every page while the machine is too busy for fair results', async () => {
    await withLive(async live => {
      await live.session.start();
      const watch = await live.watch();
      live.side('right').warning = () => 'The machine is too busy.';
      await watch.until(() => watch.state?.settings.warning === 'The machine is too busy.');
      expect((await live.watch().then(later => later.next('snapshot'))).settings).to.include({ users: 64 });
      live.side('right').warning = () => undefined;
      await watch.until(() => watch.state?.settings.warning === undefined);
    });
  });

  it('tells the pages when the files could not be written, and rejects after everything was stopped', async () => {
    await withLive(async live => {
      await live.session.start();
      const watch = await live.watch();
      const failed = await live.session
        .end('Ctrl-C.', async () => Promise.reject(new Error('disk full')))
        .catch(String);
      expect(failed).to.equal('Error: disk full');
      await watch.ended();
      expect(watch.messages.at(-1)).to.deep.equal({
        kind: 'over',
        reason: 'Ctrl-C. The files were not written: disk full',
        files: [],
      });
      expect(live.side('right').calls).to.deep.equal(['stop', 'judgeAll']);
    });
  });
});
