import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import {
  healableSides,
  type LabSides,
  memberNames,
  quickCommands,
  readOption,
  type ShownSide,
  sidesAfter,
} from '#src/live/page/lab-state.js';
import { counterTexts, describeMember, describeStrike, stateWords, tellWave } from '#src/live/page/sentences.js';
import { laneOf } from '#src/live/page/timeline.js';
import type { CountsView, StreamMessage, StrikeView } from '#src/live/protocol.js';
import { packageFile } from '#src/shared/package.js';
import { noCounts, settings, sideView } from './page-feed.js';

const kill: StrikeView = {
  id: 'kill-backend-2',
  fault: 'kill',
  target: 'backend-2',
  doneInWords: 'was killed',
  state: 'confirmed',
  requestedMs: 20_000,
  confirmedMs: 20_050,
  healedMs: null,
  exposed: 21,
  before: noCounts,
};

describe('the lanes of the timeline of the live lab', () => {
  it('show a missing write where they show a lost one, and a logged-out user in the other lane', () => {
    expect((['lost', 'missing', 'logged-out', 'identity-swapped'] as const).map(laneOf)).to.deep.equal([
      'lost',
      'lost',
      'logged out',
      'logged out',
    ]);
  });
});

describe('what the page of the live lab says', () => {
  describe('about the last strike', () => {
    for (const [what, counts, mood, text] of [
      [
        'losses',
        { loggedOut: 19, exposed: 21, missing: 35, lost: 20 },
        'bad',
        '19 of the 21 users that it served were logged out; 35 acknowledged writes are missing.',
      ],
      [
        'the loss of all sessions',
        { loggedOut: 21, exposed: 21 },
        'bad',
        'all 21 users that it served were logged out.',
      ],
      [
        'proven losses',
        { loggedOut: 1, exposed: 21, missing: 1, lost: 1 },
        'bad',
        '1 of the 21 users that it served was logged out; 1 acknowledged write is lost.',
      ],
      [
        'no loss',
        { exposed: 21 },
        'good',
        'none of the 21 users that it served was logged out, and no acknowledged write is missing.',
      ],
      [
        'a swapped identity',
        { exposed: 3, swapped: 2 },
        'bad',
        'none of the 3 users that it served was logged out; 2 users got the answer of another user.',
      ],
    ] as const) {
      it(`says ${what} in one sentence`, () => {
        expect(tellWave(shownWith(kill, counts))).to.deep.equal({
          mood,
          text: `backend-2 was killed 10 s ago: ${text}`,
        });
      });
    }

    for (const [state, mood, text] of [
      ['requested', 'waiting', 'backend-2 was killed a moment ago. Waiting for confirmation …'],
      ['not-confirmed', 'bad', 'Not confirmed: backend-2 was killed. It still answers.'],
    ] as const) {
      it(`does not claim an effect of a strike that is ${state}`, () => {
        const strike = { ...kill, state, problem: 'It still answers.' };
        expect(tellWave(shownWith(strike, { loggedOut: 4, exposed: 4 }))).to.deep.equal({ mood, text });
      });
    }

    it('names the users that a later strike exposed, and claims no cause', () => {
      const [now, before] = [
        { loggedOut: 24, exposed: 40 },
        { ...noCounts, loggedOut: 19, exposed: 21 },
      ];
      const text = 'backend-2 was killed 10 s ago. Since then 5 of the 22 users that it served were logged out.';
      expect(tellWave(shownWith({ ...kill, before, exposed: 22 }, now)).text).to.equal(text);
      const store = { ...kill, target: 'redis', before, exposed: 0 };
      expect(tellWave(shownWith(store, { ...now, loggedOut: 19 })).text).to.include(
        'redis was killed 10 s ago. Since then no user was logged out, and no',
      );
    });

    it('does not call it good when most users had a failed request', () => {
      const text =
        'backend-2 was killed 10 s ago: none of the 21 users that it served was logged out, and no acknowledged write is missing; 9 requests failed or got no answer.';
      expect(tellWave(shownWith(kill, { exposed: 21, failed: 5, unknown: 4 }))).to.deep.equal({
        mood: 'waiting',
        text,
      });
    });

    it('does not call the users safe before they can have noticed the strike', () => {
      const text =
        'backend-2 was killed 3 s ago: so far none of the 21 users that it served was logged out, and no acknowledged write is missing.';
      expect(tellWave(shownWith({ ...kill, requestedMs: 27_000 }, { exposed: 21 }))).to.deep.equal({
        mood: 'waiting',
        text,
      });
    });

    it('says what happened in the words of the fault, or names a fault without words', () => {
      const { doneInWords: _, ...wordless } = kill;
      const texts = [
        { ...kill, target: 'proxy->backend-2', doneInWords: 'became slow' },
        { ...kill, target: 'secrets', doneInWords: 'got a new key' },
        { ...wordless, fault: 'exec', target: 'system' },
      ].map(describeStrike);
      expect(texts).to.deep.equal([
        'proxy → backend-2 became slow',
        'the key ring got a new key',
        'exec struck system',
      ]);
    });

    it('says nothing of the past when nothing has struck', () => {
      expect(tellWave({ view: sideView('sticky') }).mood).to.equal('calm');
    });
  });

  describe('in its counters', () => {
    it('shows each counter of the report, and the change since the strike', () => {
      const texts = counterTexts(
        shownWith(kill, {
          loggedOut: 19,
          exposed: 21,
          missing: 35,
          lost: 20,
          acknowledged: 900,
          failed: 3,
          unknown: 2,
        }),
      );
      expect(texts.map(({ value, label, detail, change }) => [value, label, detail, change])).to.deep.equal([
        ['19', 'logged out', 'of 21 exposed', '+19'],
        ['35', 'acknowledged writes missing', '20 proven lost', '+35'],
        ['3 / 2', 'failed / unknown', '+5 since strike', ''],
        ['12 ms', 'p99 of the last 5 s', '12 ms before', ''],
      ]);
    });

    it('calls missing writes lost only when every one is proven lost', () => {
      const [, writes] = counterTexts(shownWith(kill, { missing: 35, lost: 35, acknowledged: 900 }));
      expect(writes).to.include({ value: '35', label: 'acknowledged writes lost', detail: 'of 900' });
    });
  });

  it('names the states of a user as docs/live.md does', () => {
    const docs = readFileSync(packageFile('docs/live.md'), 'utf8');
    const [, table = ''] = /\| shape \|.*\n\|[-|]+\n((?:\|.*\n)+)/.exec(docs) ?? [];
    const named = table
      .trim()
      .split('\n')
      .map(row => row.split('|')[2]?.trim());
    expect(named).to.have.members(Object.values(stateWords));
  });

  describe('about a member', () => {
    const member = { name: 'backend-2', role: 'backend', state: 'up', sinceMs: 28_600 } as const;
    for (const [own, strikes, words] of [
      [{}, [], 'up'],
      [{ bound: 21 }, [], 'up, 21 bound'],
      [{ state: 'draining', bound: 7 }, [], 'draining, 7 bound'],
      [{ state: 'dead', bound: 7 }, [], 'down for 1.4 s'],
      [{ state: 'spare', bound: 0 }, [], 'spare, not started'],
      [{ state: 'stopped' }, [], 'hung for 1.4 s'],
      [{ state: 'ejected' }, [], 'taken out for 1.4 s'],
      [{}, [{ ...kill, fault: 'hang' }], 'hung'],
      [{}, [{ ...kill, fault: 'hang', state: 'healed' }], 'up'],
      [{ storeRole: 'primary' }, [], 'up, primary'],
    ] as const) {
      it(`says "${words}"`, () => {
        expect(describeMember({ ...member, ...own }, strikes, 30_000).replace('\u00a0', ' ')).to.equal(words);
      });
    }
  });
});

describe('the state of the page of the live lab', () => {
  const start: LabSides = sidesAfter(
    {},
    { kind: 'snapshot', settings, left: sideView('sticky'), right: sideView('redis') },
  );
  const strikeOf = (strike: StrikeView): StreamMessage => ({ kind: 'strike', side: 'left', nowMs: 30_000, strike });

  it('has the counters before the last strike of each side', () => {
    const struck = sidesAfter(start, strikeOf({ ...kill, before: { ...noCounts, failed: 3 } }));
    const after = sidesAfter(struck, frameOf({ ...noCounts, failed: 9, loggedOut: 4 }));
    expect(after.left?.wave?.before).to.include({ failed: 3, loggedOut: 0 });
    expect(after.right).to.equal(start.right);
  });

  const cut = { ...kill, id: 'cut', requestedMs: 20_400, before: { ...noCounts, loggedOut: 2 } };
  const hang = { ...kill, id: 'hang', requestedMs: 26_000, before: { ...noCounts, loggedOut: 4 } };

  it('counts strikes of one click as one wave, and a later one as another', () => {
    const second = sidesAfter(sidesAfter(start, strikeOf(kill)), strikeOf(cut));
    expect(second.left?.wave).to.deep.equal({ strikes: [kill, cut], before: kill.before });
    const third = sidesAfter(second, strikeOf(hang));
    expect(third.left?.wave).to.deep.equal({ strikes: [hang], before: hang.before });
  });

  it('is the same in a page that is opened after the strikes', () => {
    const struck = [kill, cut, hang].map(strikeOf).reduce(sidesAfter, start);
    const left = sideView('sticky', { strikes: [kill, cut, hang] });
    const opened = sidesAfter({}, { kind: 'snapshot', settings, left });
    expect(opened.left?.wave).to.deep.equal(struck.left?.wave);
  });

  it('keeps the wave when a strike heals', () => {
    const struck = sidesAfter(start, strikeOf(kill));
    const healed = { ...kill, state: 'healed', healedMs: 29_000 } as const;
    expect(sidesAfter(struck, strikeOf(healed)).left?.wave).to.deep.equal({ strikes: [healed], before: noCounts });
  });

  it('forgets the wave when the run begins anew', () => {
    const struck = sidesAfter(start, strikeOf(kill));
    const left = { ...sideView('sticky'), isNew: true } as const;
    expect(sidesAfter(struck, { kind: 'frame', left }).left?.wave).to.equal(undefined);
  });
});

describe('the commands of the page of the live lab', () => {
  const views = { left: sideView('sticky'), right: sideView('redis') };
  const both = ['left', 'right'] as const;

  it('numbers the backends first, then the proxy, then the stores of either side', () => {
    expect(memberNames(views)).to.deep.equal(['backend-1', 'backend-2', 'backend-3', 'proxy', 'redis']);
  });

  it('numbers a spare backend last, because nothing can strike it before it is started', () => {
    const spare = { name: 'backend-4', role: 'backend', state: 'spare', sinceMs: 0 } as const;
    const left = sideView('sticky', { members: [...sideView('sticky').members, spare] });
    expect(memberNames({ left })).to.deep.equal(['backend-1', 'backend-2', 'backend-3', 'proxy', 'backend-4']);
  });

  it('strikes a store only on the side that has it', () => {
    expect(quickCommands(views, both, 'redis', 'kill')).to.deep.equal([
      { do: 'strike', sides: ['right'], fault: 'kill', target: 'redis' },
    ]);
  });

  it('slows the link from the proxy, with the example of each required option', () => {
    expect(quickCommands(views, both, 'backend-2', 'slow')).to.deep.equal([
      {
        do: 'strike',
        sides: ['left', 'right'],
        fault: 'slow',
        target: 'proxy->backend-2',
        options: { latency: '200ms' },
      },
    ]);
  });

  it('sends nothing that is not offered', () => {
    expect(quickCommands(views, both, 'proxy', 'drain')).to.deep.equal([]);
  });

  it('heals only where a strike on the member or its links is active', () => {
    const cut = { ...kill, target: 'proxy->backend-2' };
    const right = sideView('redis', { strikes: [cut] });
    expect(healableSides({ ...views, right }, both, 'backend-2')).to.deep.equal(['right']);
    const healed = sideView('redis', { strikes: [{ ...cut, state: 'healed' }] });
    expect(healableSides({ ...views, right: healed }, both, 'backend-2')).to.deep.equal([]);
  });

  it('heals a struck link with either of its ends, and struck secrets with the proxy', () => {
    const secrets = { ...kill, fault: 'rotate-secrets', target: 'secrets' };
    const left = sideView('sticky', { strikes: [secrets] });
    const right = sideView('redis', { strikes: [{ ...kill, fault: 'cut-link', target: 'backend-1->redis' }] });
    const healable = (member: string) => healableSides({ left, right }, both, member);
    expect(['backend-1', 'redis'].map(healable)).to.deep.equal([['right'], ['right']]);
    expect(['proxy', 'backend-2'].map(healable)).to.deep.equal([['left'], []]);
  });

  it('sends numbers and booleans as such', () => {
    expect(readOption({ type: 'number' }, '5')).to.equal(5);
    expect(readOption({ type: 'boolean' }, 'true')).to.equal(true);
    expect(readOption({ type: 'text' }, '5')).to.equal('5');
  });
});

function shownWith(strike: StrikeView, counts: Partial<CountsView>): ShownSide {
  const view = sideView('sticky', { strikes: [strike], counts: { ...noCounts, ...counts } });
  return { view, wave: { strikes: [strike], before: strike.before } };
}

function frameOf(counts: CountsView): StreamMessage {
  return { kind: 'frame', left: { nowMs: 30_000, counts } };
}
