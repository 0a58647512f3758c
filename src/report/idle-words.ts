import type { Findings } from '../simulator/checker/findings.js';
import { counted, seconds } from './words.js';

/** Shorter pauses than this are no sign of an idle limit. */
const pauseMsMin = 1_000;

/**
 * Returns a sentence where users were logged out after pauses that no session survived, and no fault explains it. The idle
 * limit of the app is then the likely cause.
 */
export function describeIdleLogouts({ incidents, pauses }: Findings): string[] {
  const unexplained = incidents.filter(({ kind, candidates = [] }) => kind === 'logged-out' && candidates.length === 0);
  const afterPause = unexplained.flatMap(({ pauseMs = 0 }) => (pauseMs >= pauseMsMin ? [pauseMs] : []));
  const shortestMs = Math.min(...afterPause);
  if (afterPause.length === 0 || shortestMs <= pauses.longestSurvivedMs) return [];
  return [
    `${counted(afterPause.length, 'session')} ended after pauses of ${seconds(shortestMs)} and more, and no fault explains it. The longest pause that a session survived was ${seconds(pauses.longestSurvivedMs)}: look at the idle limit of the app, or shorten users.think.`,
  ];
}
