import { count, countNoun, duration, seconds } from '../../report/numbers.js';
import type { CountsView, MemberView, SideView, StrikeView, UserStateName } from '../protocol.js';
import type { ShownSide, StrikeWave } from './lab-state.js';

/** A sentence, and how bad it is. */
interface Saying {
  readonly mood: 'calm' | 'good' | 'waiting' | 'bad';
  readonly text: string;
}

/** Each state of a user, with its words. The order is that of the legend. */
export const stateWords: Readonly<Record<UserStateName, string>> = {
  in: 'logged in',
  waiting: 'waiting for an answer',
  'in-doubt': 'a write in doubt',
  'has-lost': 'misses an acknowledged write',
  'logged-out': 'logged out',
  'someone-else': "another user's answer",
  arriving: 'not logged in yet',
  gone: 'left',
};

/** Says what a strike did: `backend-2 was killed`. */
export function describeStrike({ fault, target, doneInWords }: StrikeView): string {
  const words = target === 'secrets' ? 'the key ring' : target.replace('->', ' → ');
  return doneInWords === undefined ? `${fault} struck ${words}` : `${words} ${doneInWords}`;
}

const noticedWithinMs = 5_000;

/** Says in one sentence what the last wave of strikes did to the users of one side. */
export function tellWave({ view, wave }: ShownSide): Saying {
  if (view.stage === 'starting') return { mood: 'waiting', text: `Starting the system in mode ${view.mode} …` };
  if (view.stage === 'stopping') return { mood: 'waiting', text: 'Stopping the system …' };
  if (view.stage === 'failed') return { mood: 'bad', text: view.problem ?? 'The system has failed.' };
  if (wave === undefined) {
    const next = view.offers.length === 0 ? '' : ' Kill a server, and see which users lose their session.';
    return { mood: 'calm', text: `Nothing is broken.${next}` };
  }
  const [first] = wave.strikes;
  const action = describeStrike(first);
  if (first.state === 'requested')
    return { mood: 'waiting', text: `${action} a moment ago. Waiting for confirmation …` };
  if (first.state === 'not-confirmed') {
    return { mood: 'bad', text: `Not confirmed: ${action}. ${first.problem ?? ''}`.trim() };
  }
  const ageMs = view.nowMs - first.requestedMs;
  const failure = first.state === 'not-healed' ? ` It could not be healed: ${first.problem ?? 'no reason given'}.` : '';
  const { text, isHarmed, isOutage } = tellHarm(view, wave, first.target);
  const ago = `${action} ${describeAge(ageMs)}${isFirstWave(wave) ? ':' : '. Since then'}`;
  // A request that was in flight may wait for seconds before its user notices anything.
  if (!isHarmed && ageMs < noticedWithinMs) return { mood: 'waiting', text: `${ago} so far ${text}.${failure}` };
  return { mood: isHarmed ? 'bad' : isOutage ? 'waiting' : 'good', text: `${ago} ${text}.${failure}` };
}

interface Harm {
  readonly text: string;
  /** Users have lost something. */
  readonly isHarmed: boolean;
  /** Most users had a request that failed. */
  readonly isOutage: boolean;
}

/** Says what has happened to the users since the wave. */
function tellHarm({ counts: now, users }: SideView, wave: StrikeWave, target: string): Harm {
  const since = (of: (counts: CountsView) => number) => Math.max(0, of(now) - of(wave.before));
  const [loggedOut, missing, lost] = [since(of => of.loggedOut), since(of => of.missing), since(of => of.lost)];
  const [swapped, failed, unknown] = [since(of => of.swapped), since(of => of.failed), since(of => of.unknown)];
  const isHarmed = loggedOut + missing + swapped > 0;
  const exposed = isFirstWave(wave) ? now.exposed : Math.max(...wave.strikes.map(strike => strike.exposed));
  const loggedOutText = tellLoggedOut(loggedOut, exposed ?? 0, target);
  const parts = [
    isHarmed ? loggedOutText : `${loggedOutText}, and no acknowledged write is missing`,
    ...(missing > 0 ? [tellMissing(missing, lost)] : []),
    ...(swapped > 0 ? [`${countNoun(swapped, 'user')} got the answer of another user`] : []),
    ...(failed + unknown > 0
      ? [`${countNoun(failed + unknown, 'request')} failed${unknown > 0 ? ' or got no answer' : ''}`]
      : []),
  ];
  return { text: parts.join('; '), isHarmed, isOutage: failed + unknown > users.length / 2 };
}

/** Only then the users that faults have exposed are those of this wave. */
function isFirstWave({ before }: StrikeWave): boolean {
  return before.exposed === null;
}

function tellLoggedOut(loggedOut: number, exposed: number, target: string): string {
  const was = loggedOut === 1 ? 'was' : 'were';
  const kind = isServing(target) ? 'users that it served' : 'exposed users';
  if (loggedOut > exposed) return `${countNoun(loggedOut, 'user')} ${was} logged out`;
  if (loggedOut === exposed && exposed > 1) return `all ${count(exposed)} ${kind} were logged out`;
  if (loggedOut > 0) return `${count(loggedOut)} of the ${count(exposed)} ${kind} ${was} logged out`;
  return exposed === 0 ? 'no user was logged out' : `none of the ${count(exposed)} ${kind} was logged out`;
}

function isServing(target: string): boolean {
  return /^(proxy\S*->)?backend-\d+$/.test(target);
}

function tellMissing(missing: number, lost: number): string {
  return `${countNoun(missing, 'acknowledged write')} ${missing === 1 ? 'is' : 'are'} ${lost >= missing ? 'lost' : 'missing'}`;
}

/** Returns an age that does not change ten times a second: `just now`, `8 s ago`, `2 min ago`. */
function describeAge(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (whole < 1) return 'just now';
  return whole < 120 ? `${whole} s ago` : `${Math.floor(whole / 60)} min ago`;
}

/** The state of a member in words: `up, 21 bound`, `hung for 1.4 s`, `down for 1.4 s`. */
export function describeMember(member: MemberView, strikes: readonly StrikeView[], nowMs: number): string {
  const { state, storeRole, bound } = member;
  const own = strikes.filter(({ target, state: of }) => target === member.name && of !== 'healed');
  const isHung = own.some(({ fault, confirmedMs }) => (fault === 'hang' || fault === 'pause') && confirmedMs !== null);
  const since = `for ${describeSpan(Math.max(0, nowMs - member.sinceMs))}`;
  const words = {
    starting: 'starting …',
    spare: 'spare, not started',
    up: 'up',
    draining: 'draining',
    ejected: `taken out ${since}`,
    stopped: `hung ${since}`,
    dead: `down ${since}`,
  }[state];
  const life = isHung && state === 'up' ? 'hung' : words;
  const binds = bound !== undefined && state !== 'dead' && state !== 'spare';
  return [life, storeRole, binds ? `${count(bound)} bound` : undefined].filter(Boolean).join(', ');
}

/** Returns a duration that no line break divides: `1.4 s`, `13 s`. */
function describeSpan(ms: number): string {
  return (ms < 10_000 ? seconds(ms) : `${count(Math.floor(ms / 1000))} s`).replace(' ', '\u00a0');
}

/** One counter of the strip. */
interface CounterText {
  readonly label: string;
  readonly value: string;
  readonly detail: string;
  /** The change since the last strike; empty when there is none. */
  readonly change: string;
  readonly isBad: boolean;
}

/** Returns the counters of one side, in the order of the strip. */
export function counterTexts({ view: { counts }, wave }: ShownSide): CounterText[] {
  const before = wave?.before;
  const rise = (of: (counts: CountsView) => number) => tellRise(before && of(counts) - of(before), of(counts));
  const { loggedOut, exposed, acknowledged, missing, lost, failed, unknown, p99Ms } = counts;
  const allLost = missing === lost;
  return [
    {
      label: 'logged out',
      value: count(loggedOut),
      detail: exposed === null ? 'users' : `of ${count(exposed)} exposed`,
      change: rise(each => each.loggedOut),
      isBad: loggedOut > 0,
    },
    {
      label: `acknowledged writes ${allLost ? 'lost' : 'missing'}`,
      value: count(missing),
      detail: allLost ? `of ${count(acknowledged)}` : `${count(lost)} proven lost`,
      change: rise(each => each.missing),
      isBad: missing > 0,
    },
    {
      label: 'failed / unknown',
      value: `${count(failed)} / ${count(unknown)}`,
      detail: tellSince(rise(each => each.failed + each.unknown)),
      change: '',
      isBad: false,
    },
    {
      label: 'p99 of the last 5 s',
      value: duration(p99Ms),
      detail: before && before.p99Ms !== null ? `${duration(before.p99Ms)} before` : 'response time',
      change: '',
      isBad: false,
    },
  ];
}

function tellSince(rise: string): string {
  return rise === '' ? 'requests' : `${rise} since strike`;
}

function tellRise(by: number | undefined, value: number): string {
  if (by === undefined || value === 0) return '';
  return by > 0 ? `+${count(by)}` : '±0';
}
