import type { Method, Shot } from './clients.js';
import type { Strike } from './strike.js';

/** A kill in numbers. */
export interface Account {
  readonly requests: number;
  /** Answers other than 200, and connections that ended before their answer, by kind. */
  readonly bad: Readonly<Record<string, number>>;
  readonly badCount: number;
  /** Those of them that came later than a second after the kill. */
  readonly late: number;
  /** Requests that the backend carried out and could not answer any more. */
  readonly held: number;
  /** Requests that two backends carried out. */
  readonly twice: number;
}

const lateMs = 1_000;
/** Time in which a request may still meet the dead connection, before the proxy can know. */
const graceMs = 100;

export function accountOf({ shots, killedMs, byDead, byOthers }: Strike): Account {
  const bad = shots.filter(isBad);
  const acknowledged = new Set(shots.filter(shot => !isBad(shot)).map(({ id }) => id));
  const others = new Set(byOthers);
  return {
    requests: shots.length,
    bad: countBy(bad.map(({ status }) => (status === undefined ? 'reset' : String(status)))),
    badCount: bad.length,
    late: bad.filter(({ endedMs }) => endedMs > killedMs + lateMs).length,
    held: byDead.filter(id => !acknowledged.has(id) || others.has(id)).length,
    twice: [...byDead, ...byOthers].length - new Set([...byDead, ...byOthers]).size,
  };
}

/** Returns the faults for GET. GET may be retried, so clients must notice nothing. */
export function flawsOfGet(strike: Strike): string[] {
  const { badCount, held } = accountOf(strike);
  return [...(badCount > 0 ? [`${badCount} bad GETs`] : []), ...nothingHeld('GET', held), ...neverCarriedOut(strike)];
}

/** Returns the faults for POST. Only those in flight on the dead backend may fail, and must say so. */
export function flawsOfPost(strike: Strike): string[] {
  const bad = strike.shots.filter(isBad);
  const { late, held, twice } = accountOf(strike);
  const stray = bad.filter(({ beganMs }) => beganMs > strike.goneMs + graceMs).length;
  const unmarked = bad.filter(({ status, proxyStatus }) => status !== 502 || !/; outcome=unknown\b/.test(proxyStatus));
  const again = bad.length - new Set(bad.map(({ client }) => client)).size;
  const counts: [number, string][] = [
    [twice, 'POSTs carried out twice'],
    [stray, 'bad POSTs that began after the backend had gone'],
    [late, 'bad POSTs later than a second after the kill'],
    [unmarked.length, 'bad POSTs that were no 502 with outcome=unknown'],
    [again, 'clients had more than one bad POST'],
  ];
  const flaws = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [...flaws, ...nothingHeld('POST', held), ...neverCarriedOut(strike)];
}

function isBad({ status }: Shot): boolean {
  return status !== 200;
}

function nothingHeld(method: Method, held: number): string[] {
  return held === 0
    ? [`${method}: nothing was in flight on the backend when it was killed, so this run proves nothing`]
    : [];
}

/** Reports answers of 200 to requests that no backend carried out. */
function neverCarriedOut({ shots, byDead, byOthers }: Strike): string[] {
  const executed = new Set([...byDead, ...byOthers]);
  const count = shots.filter(shot => !isBad(shot) && !executed.has(shot.id)).length;
  return count > 0 ? [`${count} requests were answered 200 and carried out by no backend`] : [];
}

function countBy(kinds: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
