import type { Trouble, TroubleKind } from './troubles.js';
import type { WishKind } from './wishes.js';

/** How a request ended for its client. */
export type End =
  /** A complete answer arrived. */
  | 'answered'
  /** An answer began and broke. */
  | 'cut'
  /** The connection ended before an answer began. */
  | 'unanswered'
  /** Nothing ended it before the client's time-out. */
  | 'late'
  /** The client left, as planned. */
  | 'left';

export interface AnswerFacts {
  readonly status: number;
  /** The token that the backend echoed; undefined in an answer of the proxy itself. */
  readonly token: string | undefined;
  readonly backend: string | undefined;
  readonly incarnation: string | undefined;
  readonly proxyStatus: string | undefined;
}

/** The backend to which a browser was bound, and since when it knew. */
export interface Home {
  readonly backend: string;
  readonly incarnation: string;
  readonly knownMs: number;
}

/** One request with its result. */
export interface Shot {
  readonly kind: WishKind;
  readonly token: string;
  readonly repeatable: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly end: End;
  readonly answer: AnswerFacts | undefined;
  /** The body was right as far as it came. For a WebSocket: its messages came back in order. */
  readonly bodyRight: boolean;
  readonly home: Home | undefined;
  /** It was pipelined behind a cut answer, which closes the connection. */
  readonly behindCut?: boolean;
}

/** A request in flight on a dead server may fail until this long after the death. */
const afterDeathMs = 1_000;

/**
 * Returns what is wrong with this request; empty: nothing. A failure is allowed only
 * - with 502 and outcome=unknown, for a request that must not be sent twice, while a backend dies;
 * - in the middle of an answer, when its backend dies (or drains, for a tunnel).
 * In all other cases (hangs, drains, reloads, repeatable requests) the client must get its answer.
 */
export function offences(shot: Shot, troubles: readonly Trouble[]): string[] {
  switch (shot.end) {
    case 'left':
      return [];
    case 'late':
      return ['stuck: no end within the patience of the client'];
    case 'unanswered':
      return shot.behindCut === true ? [] : ['the connection ended without an answer'];
    case 'cut':
      return [...mayBeCut(shot, troubles), ...wrongAnswer(shot), ...wrongBody(shot)];
    case 'answered':
      return shot.answer?.proxyStatus === undefined
        ? [...wrongAnswer(shot), ...wrongBody(shot), ...movedWithoutReason(shot, troubles)]
        : dishonest(shot, troubles);
  }
}

function wrongAnswer({ answer, token, kind }: Shot): string[] {
  if (answer === undefined) return ['an answer without a head'];
  if (answer.token !== token) return [`wrong answer: ${token} was asked, ${answer.token} answered`];
  const wanted = kind === 'websocket' ? 101 : 200;
  return answer.status === wanted ? [] : [`wrong answer: status ${answer.status}`];
}

function wrongBody({ bodyRight }: Shot): string[] {
  return bodyRight ? [] : ['wrong answer: the body is not its own'];
}

function mayBeCut(shot: Shot, troubles: readonly Trouble[]): string[] {
  const excuses: TroubleKind[] = shot.kind === 'websocket' ? ['kill', 'drain'] : ['kill'];
  const backend = shot.answer?.backend;
  const excused = troubles.some(
    trouble => trouble.backend === backend && excuses.includes(trouble.kind) && overlaps(trouble, shot),
  );
  return excused ? [] : [`cut off, and nothing had happened to ${backend}`];
}

function dishonest(shot: Shot, troubles: readonly Trouble[]): string[] {
  const { status, proxyStatus = '' } = shot.answer ?? { status: 0 };
  const what = `${status} (${proxyStatus})`;
  if (status !== 502 || !/; outcome=unknown$/.test(proxyStatus)) return [`an answer of the proxy itself: ${what}`];
  if (shot.repeatable) return [`not tried elsewhere: ${what}`];
  const died = troubles.some(
    ({ kind, fromMs, deadMs = Number.POSITIVE_INFINITY }) =>
      kind === 'kill' && fromMs <= shot.endedMs && shot.startedMs <= deadMs + afterDeathMs,
  );
  return died ? [] : [`${what}, and no backend had died`];
}

/** Reports a bound browser that moved although nothing happened to its backend since it was bound. */
function movedWithoutReason({ home, answer, endedMs }: Shot, troubles: readonly Trouble[]): string[] {
  if (home === undefined || answer === undefined || answer.incarnation === home.incarnation) return [];
  const since = { startedMs: home.knownMs, endedMs };
  const excused = troubles.some(trouble => trouble.backend === home.backend && overlaps(trouble, since));
  return excused ? [] : [`moved from ${home.incarnation} to ${answer.incarnation}, and nothing had happened there`];
}

function overlaps({ fromMs, untilMs }: Trouble, time: Pick<Shot, 'startedMs' | 'endedMs'>): boolean {
  return fromMs <= time.endedMs && time.startedMs <= untilMs;
}
