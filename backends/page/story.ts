/** Describes in one sentence what just happened to a session, from the state before and the new observation. Pure: no
 * clock, no page, no network. The page shows the sentences; the tests list them. */

import { describeHome, inBrowser, inMemory, sharedStore } from './places.js';

/** The result of one request: an answer, or the kind of failure. */
export type Observation =
  | Served
  /** A backend answered that the session store is unreachable. */
  | { readonly kind: 'store-down' }
  /** The proxy answered by itself, because no backend is available. */
  | { readonly kind: 'no-backend' }
  /** The request was sent, and the answer timed out. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'silence' };

export interface Served {
  readonly kind: 'served';
  readonly user: string | null;
  /**
   * Why there is no session: `absent`, `unknown`, `forged`, ... (`NoSession` of the sessions). Null if there is one.
   */
  readonly why: string | null;
  readonly backend: string;
  readonly incarnation: string;
  /** Why the proxy moved this browser to another backend. Null if it did not say so. */
  readonly moved: string | null;
  /** The action of the visitor that caused this answer. Undefined for a poll. */
  readonly action?: 'login' | 'logout';
}

/** The state that is kept between two observations. */
export interface PageState {
  readonly mode: string;
  readonly proxied: boolean;
  readonly kind: Observation['kind'] | 'start';
  readonly user: string | null;
  /** Number of different items in the cart when it was last read. */
  readonly items: number;
  readonly backend: string;
  /** True from a store outage until a session is found again. */
  readonly storeFailed: boolean;
  readonly backends: Readonly<Record<string, Known>>;
}

interface Known {
  readonly incarnation: string;
  /** Number of answers by other backends since the last answer of this one. */
  readonly quietFor: number;
}

export const initialState: PageState = {
  mode: '',
  proxied: false,
  kind: 'start',
  user: null,
  items: 0,
  backend: '',
  storeFailed: false,
  backends: {},
};

export type Severity = 'good' | 'trouble' | 'lost';

interface StoryUpdate {
  readonly state: PageState;
  /** Undefined if nothing changed that is worth a sentence. */
  readonly sentence: string | undefined;
  readonly mood: Severity;
}

export function tell(before: PageState, observation: Observation): StoryUpdate {
  if (observation.kind === 'served') {
    return {
      state: afterServed(before, observation),
      sentence: servedSentence(before, observation),
      mood: moodOf(before, observation),
    };
  }
  const storeFailed = before.storeFailed || observation.kind === 'store-down';
  const sentence = observation.kind === before.kind ? undefined : troubleSentence(before, observation.kind);
  return { state: { ...before, kind: observation.kind, storeFailed }, sentence, mood: 'trouble' };
}

function moodOf(before: PageState, now: Served): Severity {
  return now.action === undefined && before.user !== null && before.user !== now.user ? 'lost' : 'good';
}

function afterServed(before: PageState, { kind, user, backend, incarnation }: Served): PageState {
  const isSame = user === before.user;
  const backends = { ...(isSame ? countQuiet(before) : {}), [backend]: { incarnation, quietFor: 0 } };
  const items = user !== null && isSame ? before.items : 0;
  return { ...before, kind, user, items, backend, backends, storeFailed: before.storeFailed && user === null };
}

/** Adds one to the answers that each known backend did not give. A new session has no known backends. */
function countQuiet({ backends }: PageState): PageState['backends'] {
  const entries = Object.entries(backends).map(([name, { incarnation, quietFor }]): [string, Known] => {
    return [name, { incarnation, quietFor: quietFor + 1 }];
  });
  return Object.fromEntries(entries);
}

function troubleSentence(before: PageState, kind: Exclude<Observation['kind'], 'served'>): string {
  const cookie = before.user === null ? 'Trying again every second.' : stillCookie;
  if (kind === 'silence') return `${describeServer(before)} does not answer. ${cookie}`;
  if (kind === 'hang') return `No answer came in time: ${describeHanging(before)} hangs. ${cookie}`;
  if (kind === 'no-backend') return `The proxy answers, but no backend does. ${cookie}`;
  if (before.user === null) return `${sharedStore(before)} does not answer. No user can log in for now. Trying again.`;
  return `${sharedStore(before)} does not answer. You are not logged out: your session cannot be looked up right now. Trying again.`;
}

const stillCookie = 'Your cookie is still in this browser; trying again every second.';

function servedSentence(before: PageState, now: Served): string | undefined {
  if (now.action === 'logout') return 'You logged out: the session is gone, and its cookie opens nothing any more.';
  if (now.action === 'login')
    return `You are logged in as ${now.user}. Your session is kept ${describeHome(before, now.backend)}.`;
  if (before.user !== null && now.user === null) return `${lostSentence(before, now)} Please log in again.`;
  if (before.user === null) return arrivalSentence(before, now);
  if (before.user === now.user) return survivedSentence(before, now);
  return `The shop now calls you ${now.user}, and you were ${before.user}. Unless you logged in as ${now.user} in another tab, this is the session of another user.`;
}

/** Describes the loss of a session. */
function lostSentence(before: PageState, now: Served): string {
  const cart = describeLostCart(before);
  if (now.why === 'absent') return 'This browser has no session cookie any more: you logged out in another tab.';
  if (now.why === 'expired') return `Your session was too old or unused for too long, and has ended.${cart}`;
  if (now.why === 'revoked') return `Your session was ended elsewhere.${cart}`;
  if (now.why === 'browser-changed') return otherBrowser;
  if (inBrowser(before)) return `${describeLostToken(before, now)}${cart}`;
  if (inMemory(before)) return `${describeLostMemory(before, now)}${cart}`;
  const store = sharedStore(before);
  if (before.storeFailed) return `${store} came back empty: your session ${describeCart(before)} lost.`;
  return `${store} answers and does not know your session any more: it came back empty, or the session was ended elsewhere.${cart}`;
}

const otherBrowser = 'Your session was begun in another browser than this one: it might have been stolen.';

/** Describes a token that the browser has and the shop refuses. */
function describeLostToken(before: PageState, { why, backend }: Served): string {
  if (why === 'forged')
    return `${backend} knows no key that made your session's cookie: the keys were exchanged, or the cookie was changed.`;
  if (why === 'unknown')
    return `${sharedStore(before)} does not list your session any more: it came back empty, or the session was ended elsewhere.`;
  return `${backend} no longer takes your session's cookie.`;
}

function describeLostMemory(before: PageState, now: Served): string {
  const then = before.backend;
  if (hasRestarted(before, now) || now.moved === 'reborn') {
    return `${now.moved === 'reborn' ? then : now.backend} was restarted: its memory is empty, and your session was in it.`;
  }
  if (now.moved === 'down' && before.kind === 'hang') {
    return `${then} hangs, and your session with it: it lives in its memory only.`;
  }
  if (now.moved === 'down') return `${then} died and took your session with it: it lived in its memory only.`;
  if (now.moved === 'draining')
    return `${then} was taken out of service, and your session stayed behind in its memory.`;
  if (now.backend !== then) {
    return `${now.backend} answers instead of ${then} and does not know you: your session is in the memory of ${then} only.`;
  }
  return 'Your session was ended elsewhere.';
}

function describeLostCart({ items }: PageState): string {
  return items === 0 ? '' : ` Your cart with ${countItems(items)} is gone.`;
}

function describeCart({ items }: PageState): string {
  return items === 0 ? 'is' : `and your cart with ${countItems(items)} are`;
}

function countItems(items: number): string {
  return items === 1 ? '1 item' : `${items} items`;
}

/** Describes an answer after a state without a user: the page was just opened, a failure ended, or a lost session is
 * back. */
function arrivalSentence(before: PageState, now: Served): string | undefined {
  const isFirst = before.kind === 'start';
  if (isFirst && now.user === null) return anonymousSentence(now);
  if (now.user === null)
    return before.kind === 'served' || needsNoStore(before, now) ? undefined : describeRecovery(before);
  const where = describeHome(before, now.backend);
  if (isFirst) return `You are still logged in as ${now.user}: your session is ${where}.`;
  return `You are logged in as ${now.user} again: ${now.backend} found your session ${where}.`;
}

/** True if the backend did not need the store: a request without a cookie, or one that carries the whole session. */
function needsNoStore(before: PageState, now: Served): boolean {
  return before.kind === 'store-down' && (now.why === 'absent' || inBrowser(before));
}

function anonymousSentence({ why, backend }: Served): string {
  if (why === 'unknown')
    return `This browser came with the cookie of a session that ${backend} does not know. Please log in again.`;
  if (why === 'browser-changed') return `${otherBrowser} Please log in again.`;
  if (why === 'expired' || why === 'revoked') return 'Your session has ended since you were here. Please log in again.';
  if (why === 'forged')
    return `This browser came with a cookie that was made with no key of ${backend}. Please log in again.`;
  return 'You are not logged in. Log in, put something into the cart, and then kill a server.';
}

function describeRecovery(before: PageState): string {
  if (before.kind === 'silence' || before.kind === 'hang') return `${describeServer(before)} answers again.`;
  if (before.kind === 'no-backend') return 'A backend answers again.';
  return `${sharedStore(before)} answers again.`;
}

function survivedSentence(before: PageState, now: Served): string | undefined {
  const where = describeHome(before, now.backend);
  if (needsNoStore(before, now)) return `You are still logged in, and nothing is lost: the session is ${where}.`;
  if (before.kind !== 'served') return `${describeRecovery(before)} You are still logged in, and nothing is lost.`;
  if (hasRestarted(before, now)) return `${now.backend} was restarted and knows you at once: the session is ${where}.`;
  if (now.backend === before.backend) return quietSentence(before, now);
  if (now.moved === 'down') {
    return `${before.backend} no longer answers; ${now.backend} took over and still knows you: the session is ${where}.`;
  }
  if (now.moved !== null) {
    return `The proxy moved you from ${before.backend} to ${now.backend} (${now.moved}), which still knows you: the session is ${where}.`;
  }
  const known = before.backends[now.backend];
  if (known !== undefined && known.quietFor >= quietLimit(before)) {
    return `${now.backend} answers again and knows you: the session is ${where}.`;
  }
  if (known !== undefined) return quietSentence(before, now);
  return `${now.backend} answered this time and knows you as well as ${before.backend}: the session is ${where}.`;
}

/** Describes backends that stopped answering. Without affinity, a dead backend shows only by not answering any more.
 * Reported once. */
function quietSentence(before: PageState, now: Served): string | undefined {
  const requests = quietLimit(before);
  const quiet = Object.entries(before.backends).filter(([name, { quietFor }]) => {
    return name !== now.backend && quietFor === requests - 1;
  });
  if (inMemory(before) || quiet.length === 0) return undefined;
  const names = quiet.map(([name]) => name).join(' and ');
  return `${names} answered none of the last ${requests} requests; the others still know you: the session is ${describeHome(before, '')}.`;
}

/** Returns the number of answers by others after which a backend counts as silent: three rounds. */
function quietLimit({ backends }: PageState): number {
  return 3 * Object.keys(backends).length;
}

function hasRestarted({ backends }: PageState, now: Served): boolean {
  const known = backends[now.backend];
  return known !== undefined && known.incarnation !== now.incarnation;
}

function describeServer({ proxied }: PageState): string {
  return proxied ? 'The proxy' : 'The server';
}

function describeHanging(before: PageState): string {
  if (!before.proxied) return 'the server';
  return inMemory(before) && before.backend !== ''
    ? `the proxy, or ${before.backend} behind it,`
    : 'the proxy, or a backend behind it,';
}
