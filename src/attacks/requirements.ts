import { type Mode, type ModeName, modes } from '../modes.js';

/**
 * Returns whether a requirement of OWASP ASVS 5.0.0 applies to a mode. Chapter 9 is about self-contained tokens. In the
 * other modes the cookie holds only the id of a session in a store, so no result there is evidence for it.
 */
export function appliesTo(requirement: string, mode: ModeName): boolean {
  const { strategy }: Mode = modes[mode];
  return strategy !== 'reference' || !requirement.startsWith('9.');
}

/** Why a requirement of chapter 9 does not apply. */
export const noSelfContainedToken = 'the cookie holds the id of a session in a store, not a self-contained token';
