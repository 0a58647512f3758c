import { expect } from 'chai';
import fc from 'fast-check';
import { tellAction, tellMissing } from '#backends/page/ask.js';
import {
  initialState,
  type Observation,
  type PageState,
  type Served,
  type Severity,
  tell,
} from '#backends/page/story.js';

const anna = (backend: number, more: Partial<Served> = {}): Served => ({
  kind: 'served',
  user: 'anna',
  why: null,
  backend: `backend-${backend}`,
  incarnation: `boot-of-${backend}`,
  moved: null,
  ...more,
});

const anonymous = (backend: number, why: string, more: Partial<Served> = {}): Served =>
  anna(backend, { user: null, why, ...more });

const silence: Observation = { kind: 'silence' };
const hang: Observation = { kind: 'hang' };
const noBackend: Observation = { kind: 'no-backend' };
const storeDown: Observation = { kind: 'store-down' };
const reborn = { incarnation: 'another-boot' };
const turns = (...backends: readonly number[]) => backends.map(backend => anna(backend));

/** Observations in order, and the sentence for the last one. */
type Row = readonly [name: string, seen: readonly Observation[], said: string | undefined, mood?: Severity];

const sticky: readonly Row[] = [
  [
    'anonymous',
    [anonymous(1, 'absent')],
    'You are not logged in. Log in, put something into the cart, and then kill a server.',
  ],
  [
    'an old cookie',
    [anonymous(1, 'unknown')],
    'This browser came with the cookie of a session that backend-1 does not know. Please log in again.',
  ],
  [
    'the cookie in another browser',
    [anna(2), anonymous(2, 'browser-changed')],
    'Your session was begun in another browser than this one: it might have been stolen. Please log in again.',
    'lost',
  ],
  [
    'the same, first of all',
    [anonymous(2, 'browser-changed')],
    'Your session was begun in another browser than this one: it might have been stolen. Please log in again.',
  ],
  ['still there', [anna(2)], 'You are still logged in as anna: your session is in the memory of backend-2.'],
  [
    'login',
    [anonymous(1, 'absent'), anna(2, { action: 'login' })],
    'You are logged in as anna. Your session is kept in the memory of backend-2.',
  ],
  [
    'logout',
    [anna(2), anonymous(2, 'absent', { action: 'logout' })],
    'You logged out: the session is gone, and its cookie opens nothing any more.',
  ],
  ['nothing new', [anna(2), anna(2)], undefined],
  ['still anonymous', [anonymous(1, 'absent'), anonymous(2, 'absent')], undefined],
  [
    'died',
    [anna(2), anonymous(1, 'unknown', { moved: 'down' })],
    'backend-2 died and took your session with it: it lived in its memory only. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'hangs',
    [anna(2), hang, anonymous(1, 'unknown', { moved: 'down' })],
    'backend-2 hangs, and your session with it: it lives in its memory only. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'drained',
    [anna(2), anonymous(1, 'unknown', { moved: 'draining' })],
    'backend-2 was taken out of service, and your session stayed behind in its memory. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'restarted',
    [anna(2), anonymous(2, 'unknown', reborn)],
    'backend-2 was restarted: its memory is empty, and your session was in it. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'restarted, says the proxy',
    [anna(2), anonymous(1, 'unknown', { moved: 'reborn' })],
    'backend-2 was restarted: its memory is empty, and your session was in it. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'restarted after a silence',
    [anna(2), silence, anonymous(2, 'unknown', reborn)],
    'backend-2 was restarted: its memory is empty, and your session was in it. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'led astray',
    [anna(2), anonymous(1, 'unknown')],
    'backend-1 answers instead of backend-2 and does not know you: your session is in the memory of backend-2 only. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'ended elsewhere',
    [anna(2), anonymous(2, 'unknown')],
    'Your session was ended elsewhere. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'another tab',
    [anna(2), anonymous(2, 'absent')],
    'This browser has no session cookie any more: you logged out in another tab. Please log in again.',
    'lost',
  ],
  [
    'another user',
    [anna(2), anna(2, { user: 'berta' })],
    'The shop now calls you berta, and you were anna. Unless you logged in as berta in another tab, this is the session of another user.',
    'lost',
  ],
  [
    'back again',
    [anna(2), anonymous(1, 'unknown'), anna(2)],
    'You are logged in as anna again: backend-2 found your session in the memory of backend-2.',
  ],
  [
    'proxy gone',
    [anna(2), silence],
    'The proxy does not answer. Your cookie is still in this browser; trying again every second.',
    'trouble',
  ],
  ['proxy still gone', [anna(2), silence, silence], undefined, 'trouble'],
  [
    'proxy gone, anonymous',
    [anonymous(1, 'absent'), silence],
    'The proxy does not answer. Trying again every second.',
    'trouble',
  ],
  ['proxy back', [anna(2), silence, anna(2)], 'The proxy answers again. You are still logged in, and nothing is lost.'],
  ['proxy back, anonymous', [anonymous(1, 'absent'), silence, anonymous(1, 'absent')], 'The proxy answers again.'],
  [
    'stuck',
    [anna(2), hang],
    'No answer came in time: the proxy, or backend-2 behind it, hangs. Your cookie is still in this browser; trying again every second.',
    'trouble',
  ],
  [
    'no backend',
    [anna(2), noBackend],
    'The proxy answers, but no backend does. Your cookie is still in this browser; trying again every second.',
    'trouble',
  ],
  [
    'a backend again',
    [anna(2), noBackend, anna(2)],
    'A backend answers again. You are still logged in, and nothing is lost.',
  ],
];

const redis: readonly Row[] = [
  [
    'login',
    [anonymous(1, 'absent'), anna(2, { action: 'login' })],
    'You are logged in as anna. Your session is kept in Redis.',
  ],
  [
    'another backend',
    turns(1, 2),
    'backend-2 answered this time and knows you as well as backend-1: the session is in Redis.',
  ],
  ['the same two again', turns(1, 2, 1), undefined],
  [
    'taken over',
    [anna(2), anna(1, { moved: 'down' })],
    'backend-2 no longer answers; backend-1 took over and still knows you: the session is in Redis.',
  ],
  [
    'moved',
    [anna(2), anna(1, { moved: 'draining' })],
    'The proxy moved you from backend-2 to backend-1 (draining), which still knows you: the session is in Redis.',
  ],
  ['restarted', [anna(2), anna(2, reborn)], 'backend-2 was restarted and knows you at once: the session is in Redis.'],
  [
    'restarted while another answered',
    [...turns(2, 1), anna(2, reborn)],
    'backend-2 was restarted and knows you at once: the session is in Redis.',
  ],
  ['quiet for less than three rounds', turns(1, 2, 1, 1, 1, 1, 1), undefined],
  [
    'quiet for three rounds',
    turns(1, 2, 1, 1, 1, 1, 1, 1),
    'backend-2 answered none of the last 6 requests; the others still know you: the session is in Redis.',
  ],
  ['quiet for longer', turns(1, 2, 1, 1, 1, 1, 1, 1, 1), undefined],
  [
    'back from quiet',
    turns(1, 2, 1, 1, 1, 1, 1, 1, 2),
    'backend-2 answers again and knows you: the session is in Redis.',
  ],
  [
    'store down',
    [anna(2), storeDown],
    'Redis does not answer. You are not logged out: your session cannot be looked up right now. Trying again.',
    'trouble',
  ],
  [
    'store down, anonymous',
    [anonymous(2, 'absent'), storeDown],
    'Redis does not answer. No user can log in for now. Trying again.',
    'trouble',
  ],
  ['store down, anonymous; the next answer needs no store', [storeDown, anonymous(2, 'absent')], undefined],
  ['store back, old cookie', [anonymous(2, 'unknown'), storeDown, anonymous(2, 'unknown')], 'Redis answers again.'],
  ['store back', [anna(2), storeDown, anna(1)], 'Redis answers again. You are still logged in, and nothing is lost.'],
  [
    'store back, empty',
    [anna(2), storeDown, anonymous(1, 'unknown')],
    'Redis came back empty: your session and your cart with 3 items are lost. Please log in again.',
    'lost',
  ],
  [
    'store back, empty, after a silence',
    [anna(2), storeDown, silence, anonymous(1, 'unknown')],
    'Redis came back empty: your session and your cart with 3 items are lost. Please log in again.',
    'lost',
  ],
  [
    'store empty, unseen',
    [anna(2), anonymous(1, 'unknown')],
    'Redis answers and does not know your session any more: it came back empty, or the session was ended elsewhere. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'an old outage is not the cause',
    [anna(2), storeDown, anna(2), anonymous(2, 'unknown')],
    'Redis answers and does not know your session any more: it came back empty, or the session was ended elsewhere. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
];

const sealed: readonly Row[] = [
  [
    'login',
    [anonymous(1, 'absent'), anna(2, { action: 'login' })],
    'You are logged in as anna. Your session is kept in this browser, sealed by the shop.',
  ],
  [
    'another backend',
    turns(1, 2),
    'backend-2 answered this time and knows you as well as backend-1: the session is in this browser, sealed by the shop.',
  ],
  ['an old session', [anonymous(1, 'expired')], 'Your session has ended since you were here. Please log in again.'],
  [
    'a cookie of another shop',
    [anonymous(1, 'forged')],
    'This browser came with a cookie that was made with no key of backend-1. Please log in again.',
  ],
  [
    'expired',
    [anna(2), anonymous(2, 'expired')],
    'Your session was too old or unused for too long, and has ended. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'ended elsewhere',
    [anna(2), anonymous(1, 'revoked')],
    'Your session was ended elsewhere. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
  [
    'keys exchanged',
    [anna(2), anonymous(2, 'forged')],
    "backend-2 knows no key that made your session's cookie: the keys were exchanged, or the cookie was changed. Your cart with 3 items is gone. Please log in again.",
    'lost',
  ],
  [
    'store down',
    [anna(2), storeDown],
    'Redis, which knows who was logged out, does not answer. You are not logged out: your session cannot be looked up right now. Trying again.',
    'trouble',
  ],
  [
    'store down during a logout; the next answer needs no store',
    [anna(2), storeDown, anna(2)],
    'You are still logged in, and nothing is lost: the session is in this browser, sealed by the shop.',
  ],
  [
    'store down during a login; the next answer needs no store',
    [anonymous(1, 'absent'), storeDown, anonymous(1, 'absent')],
    undefined,
  ],
];

const jwt: readonly Row[] = [
  [
    'login',
    [anonymous(1, 'absent'), anna(2, { action: 'login' })],
    'You are logged in as anna. Your session is kept in this browser, signed by the shop.',
  ],
  [
    'not renewed',
    [anna(2), anonymous(1, 'unknown')],
    'Redis, which knows who was logged out, does not list your session any more: it came back empty, or the session was ended elsewhere. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
];

const memcached: readonly Row[] = [
  [
    'login',
    [anonymous(1, 'absent'), anna(2, { action: 'login' })],
    'You are logged in as anna. Your session is kept in Memcached.',
  ],
  [
    'evicted',
    [anna(2), anonymous(1, 'unknown')],
    'Memcached answers and does not know your session any more: it came back empty, or the session was ended elsewhere. Your cart with 3 items is gone. Please log in again.',
    'lost',
  ],
];

describe('shop: the story of a session', () => {
  for (const [mode, rows] of Object.entries({ sticky, redis, sealed, jwt, memcached })) {
    describe(mode, () => {
      for (const [name, seen, said, mood = 'good'] of rows) {
        it(name, () => {
          const update = play(mode, seen);
          expect(update.sentence).to.equal(said);
          expect(update.mood).to.equal(mood);
        });
      }
    });
  }

  it('names the server if there is no proxy', () => {
    const { state } = tell({ ...initialState, mode: 'sticky' }, anna(1));
    expect(tell(state, silence).sentence).to.match(/^The server does not answer\./);
    expect(tell(state, hang).sentence).to.match(/: the server hangs\./);
  });

  it('uses the singular for one item', () => {
    const { state } = tell({ ...initialState, mode: 'sticky' }, anna(1));
    expect(tell({ ...state, items: 1 }, anonymous(1, 'unknown')).sentence).to.contain('Your cart with 1 item is gone.');
    expect(tell({ ...state, items: 0 }, anonymous(1, 'unknown')).sentence).not.to.contain('cart');
  });

  it('reports nothing twice: a repeated observation gives no sentence', () => {
    const observations = fc.constantFrom(
      anna(1),
      anna(2),
      anonymous(1, 'unknown'),
      anonymous(2, 'absent'),
      silence,
      hang,
      storeDown,
    );
    fc.assert(
      fc.property(fc.array(observations, { minLength: 1, maxLength: 12 }), seen => {
        const last = seen.at(-1) ?? silence;
        const { state } = play('sticky', seen);
        expect(tell(state, last).sentence).to.equal(undefined);
      }),
    );
  });
});

describe('shop: the result of an action', () => {
  const added = { subject: 'tea', verb: 'was', participle: 'added' } as const;

  it('is told as done, not done, or unknown', () => {
    expect(tellAction(added, { kind: 'done', quantity: 1 })).to.equal('Tea was added.');
    expect(tellAction(added, { kind: 'done', quantity: 3 })).to.equal('Tea was added: you have 3 now.');
    expect(tellAction(added, { kind: 'refused', error: 'the cart is full' })).to.equal(
      'Tea was not added: the cart is full.',
    );
    expect(tellAction(added, { kind: 'not-sent' })).to.match(/^Tea was not added: .* nothing was sent\. Try again\.$/);
    expect(tellAction(added, { kind: 'unknown' })).to.match(
      /^It is unknown whether tea was added: .*Check before you try again\.$/,
    );
  });

  it('is reported as missing if it was acknowledged and is not there', () => {
    expect(tellMissing(['tea'], ['tea', 'rope'])).to.equal(undefined);
    expect(tellMissing([], ['tea'])).to.equal(undefined);
    expect(tellMissing(['tea', 'rope'], ['tea'])).to.match(
      /^Missing from your cart: rope\. .* it was acknowledged and lost\.$/,
    );
    expect(tellMissing(['tea', 'rope'], [])).to.match(/^Missing from your cart: tea, rope\. .* they were acknowledged/);
  });
});

/** Plays observations to a page behind a proxy. The user adds three items after the first observation. */
function play(mode: string, seen: readonly Observation[]) {
  let state: PageState = { ...initialState, mode, proxied: true };
  let update = tell(state, seen[0] ?? silence);
  state = { ...update.state, items: update.state.user === null ? 0 : 3 };
  for (const observation of seen.slice(1)) {
    update = tell(state, observation);
    state = update.state;
  }
  return update;
}
