import { expect } from 'chai';
import type { NoSession, Session, SessionData } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Issued, SessionStrategy, StrategyCapabilities } from '#src/sessions/session-strategy.js';
import type { WatchedStore } from './watched-store.js';

export interface StrategyBench {
  readonly declared: StrategyCapabilities;
  strategy(): SessionStrategy;
  store(): WatchedStore;
  expectEnded(token: string): Promise<void>;
  /** Lets a millisecond pass. */
  tick(): void;
}

/** The part of the contract of `SessionStrategy` about ending sessions early. */
export function sessionEndingsContract(bench: StrategyBench): void {
  const { declared, expectEnded, tick } = bench;
  let strategy: SessionStrategy;
  let store: WatchedStore;

  beforeEach(() => {
    strategy = bench.strategy();
    store = bench.store();
  });

  async function reopened({ token }: Issued | Session): Promise<Session> {
    return living(await strategy.open(token));
  }

  const begun = (data: SessionData = { cart: [] }) => strategy.begin('anna', data);

  describe('rotate', () => {
    it('gives the same session a new token and invalidates the old one', async () => {
      const made = await begun({ cart: ['tea'] });
      const rotated = issued(await strategy.rotate(made.session));
      expect(rotated.token).not.to.equal(made.token);
      await expectEnded(made.token);
      expect(await strategy.change(made.session, data => void Object.assign(data, { late: true }))).to.equal('gone');
      expect((await reopened(rotated)).record).to.deep.equal(made.session.record);
    });

    it(
      declared.compareAndSet
        ? 'keeps a change that came in between'
        : 'declares that it rotates the given copy of the session',
      async () => {
        const made = await begun({ n: 0 });
        if (!declared.compareAndSet) {
          await strategy.change(made.session, data => void Object.assign(data, { n: 1 }));
          expect(issued(await strategy.rotate(made.session)).session.record.data).to.deep.equal({ n: 0 });
          return;
        }
        let isFirst = true;
        store.before('remove', async inner => {
          if (isFirst) await bump(inner, made.token);
          isFirst = false;
        });
        const rotated = issued(await strategy.rotate(made.session));
        expect((await reopened(rotated)).record.data).to.deep.equal({ n: 1 });
        expect(await store.listByUser('anna')).to.satisfy((list: readonly unknown[]) => list.length >= 1);
      },
    );

    it('is ended by a logout that carries the old token, also after two rotations', async () => {
      const made = await begun();
      const once = issued(await strategy.rotate(made.session));
      const twice = issued(await strategy.rotate(once.session));
      await strategy.endToken?.(made.token);
      await expectEnded(twice.token);
    });

    it('is ended by a logout that opened the session before the rotation', async () => {
      const [made, other] = [await begun(), await begun()];
      const rotated = issued(await strategy.rotate(made.session));
      await strategy.end(made.session);
      await expectEnded(rotated.token);
      await reopened(other);
    });

    it('revives nothing when the session ended before or during the rotation', async () => {
      const [ended, ending] = [await strategy.begin('ben', {}), await strategy.begin('ben', {})];
      await strategy.end(ended.session);
      expect(await strategy.rotate(ended.session)).to.equal('gone');
      store.before('create', () => strategy.end(ending.session));
      expect(await strategy.rotate(ending.session)).to.equal('gone');
      expect(await store.listByUser('ben')).to.deep.equal([]);
    });
  });

  describe('the sessions of a user', () => {
    it('are listed by handle, and the present one is known', async () => {
      const [one, two] = [await strategy.begin('cara', {}), await strategy.begin('cara', {})];
      const handles = (await strategy.list('cara')).map(({ handle }) => handle);
      expect(handles).to.have.members([one, two].map(({ session }) => strategy.handleOf(session)));
    });

    it('are listed with the client that began them, or that was given a new token last', async () => {
      const [login, later] = [{ address: '192.0.2.1', userAgent: 'a "browser"' }, { address: '192.0.2.2' }];
      const begun = await strategy.begin('cleo', {}, { client: login });
      await strategy.begin('cleo', {});
      const clients = async () => (await strategy.list('cleo')).map(({ client }) => client);
      expect(await clients()).to.have.deep.members([login, undefined]);
      const changed = issued(await strategy.change(begun.session, data => void Object.assign(data, { cart: ['tea'] })));
      expect(await clients()).to.have.deep.members([login, undefined]);
      const rotated = issued(await strategy.rotate(changed.session, later));
      expect(await clients()).to.have.deep.members([later, undefined]);
      await strategy.endOthers(rotated.session);
      expect(await clients()).to.deep.equal([later]);
    });

    it('are ended one by one, and only by their own user', async () => {
      const [mine, other] = [await strategy.begin('cara', {}), await strategy.begin('dora', {})];
      expect(await strategy.endOne('cara', strategy.handleOf(other.session))).to.equal(false);
      await reopened(other);
      expect(await strategy.endOne('cara', strategy.handleOf(mine.session))).to.equal(true);
      await expectEnded(mine.token);
      expect(await strategy.endOne('cara', strategy.handleOf(mine.session))).to.equal(false);
    });

    it('are ended except one, and then all', async () => {
      const sessions = await Promise.all(Array.from({ length: 5 }, () => strategy.begin('edda', {})));
      const [kept, ...ended] = sessions;
      if (kept === undefined) throw new Error('five were begun');
      const outcome = await strategy.endOthers(kept.session);
      if (outcome === 'gone') throw new Error('the session goes on');
      expect(outcome.ended).to.equal(4);
      await reopened(outcome.issued);
      for (const { token } of ended) await expectEnded(token);
      expect(await strategy.endAll('edda')).to.equal(1);
      expect(await strategy.list('edda')).to.deep.equal([]);
    });

    it('are ended by endEveryone', async () => {
      const [one, two] = [await strategy.begin('cara', {}), await strategy.begin('fred', {})];
      await strategy.endEveryone();
      for (const { token } of [one, two]) await expectEnded(token);
      tick();
      await reopened(await strategy.begin('cara', {}));
    });
  });

  it('ends a session for good, and ending it twice is a no-op', async () => {
    const made = await begun();
    await strategy.end(made.session);
    await strategy.end(made.session);
    await expectEnded(made.token);
  });
}

export function living(found: Session | NoSession): Session {
  return typeof found === 'string' ? expect.fail(`expected a session, got "${found}"`) : found;
}

export function issued(outcome: Issued | 'gone'): Issued {
  return outcome === 'gone' ? expect.fail('expected a session, got "gone"') : outcome;
}

/** A change by another client: it adds one to `n`. */
export async function bump(store: SessionStore, id: string): Promise<void> {
  const found = await store.read(id);
  if (found === undefined) throw new Error('the session is gone');
  await store.replace(id, { ...found, data: { n: Number(found.data.n) + 1 }, version: found.version + 1 });
}
