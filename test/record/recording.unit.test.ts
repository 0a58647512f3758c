import { expect } from 'chai';
import {
  bodyCharactersMax,
  exchangesMax,
  JourneyRecording,
  listSigns,
  passCharactersMax,
} from '#src/record/recording.js';
import { exchange } from './exchanges.js';

const typed = [
  { user: 'hf-user-1', item: 'hf-item-1' },
  { user: 'hf-user-2', item: 'hf-item-2' },
] as const;

describe('a recording', () => {
  const login = exchange({ method: 'POST', path: '/login', requestBody: 'user=hf-user-1&password=x' });
  const add = exchange({ method: 'POST', path: '/cart', requestBody: 'sku=hf-item-1' });
  const read = exchange({ path: '/cart', responseBody: '<li>hf-item-1' });

  it('keeps the order in which requests began, not the one in which they ended', () => {
    const recording = new JourneyRecording(typed, 0);
    const slots = [recording.begin(1), recording.begin(2), recording.begin(3)];
    slots[2]?.complete(read);
    slots[0]?.complete(login);
    slots[1]?.drop();
    recording.finishPass(4);
    recording.finishPass(4);
    for (const _pass of [2, 3]) {
      recording.begin(5)?.complete(login);
      recording.finishPass(6);
      recording.finishPass(6);
    }
    expect(recording.passes()?.first.exchanges.map(({ path }) => path)).to.deep.equal(['/login', '/cart']);
  });

  it('refuses to end a pass that lacks steps once, and says what it lacks', () => {
    const recording = new JourneyRecording(typed, 0);
    recording.begin(1)?.complete(login);
    const lacks = ['a request with hf-item-1', 'an answer that shows hf-item-1'];
    expect(recording.finishPass(2)).to.deep.equal(lacks);
    expect(recording.passName).to.equal('first');
    expect(recording.finishPass(3)).to.deep.equal([]);
    expect(recording.passName).to.equal('second');
  });

  it('never ends a pass without any request', () => {
    const recording = new JourneyRecording(typed, 0);
    for (const _try of [1, 2, 3]) expect(recording.finishPass(1)).not.to.deep.equal([]);
    expect(recording.passName).to.equal('first');
  });

  it('forgets a pass that is started again, also what ends later', () => {
    const recording = new JourneyRecording(typed, 0);
    const late = recording.begin(1);
    recording.begin(1)?.complete(login);
    recording.restartPass(2);
    late?.complete(add);
    expect(recording.seen.requests).to.equal(0);
  });

  it('does not take an item for shown that was not sent before', () => {
    const recording = new JourneyRecording(typed, 0);
    recording.begin(1)?.complete(read);
    const shown = { text: 'an answer that shows hf-item-1', isSeen: false };
    expect(listSigns('first', recording.seen, typed[0])).to.deep.include(shown);
    recording.begin(2)?.complete(add);
    recording.begin(3)?.complete(read);
    expect(recording.seen).to.deep.equal({ requests: 3, userSent: false, itemSent: true, itemShown: true });
  });

  it(`keeps ${exchangesMax} exchanges of a pass, and counts the others`, () => {
    const recording = new JourneyRecording(typed, 0);
    for (let begun = 0; begun < exchangesMax; begun += 1) recording.begin(1)?.complete(read);
    expect(recording.begin(1)).to.equal(undefined);
    expect(recording.unrecorded).to.equal(1);
  });

  it('leaves out bodies beyond the limit of a pass, and counts them', () => {
    const recording = new JourneyRecording(typed, 0);
    const responseBody = 'x'.repeat(bodyCharactersMax);
    const fitting = passCharactersMax / bodyCharactersMax;
    for (let begun = 0; begun <= fitting; begun += 1) recording.begin(1)?.complete(exchange({ responseBody }));
    expect(recording.unrecorded).to.equal(1);
  });
});
