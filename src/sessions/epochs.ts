/**
 * The epochs of a session: one number of its user, and one of everyone. A session keeps those of its login. It has
 * ended as soon as one of them differs from the present one. So one step ends all sessions of a user, even those that a
 * list of them has lost.
 *
 * Two epochs are compared only if both belong to the same user, or both to everyone.
 */
export interface Epochs {
  readonly user: number;
  readonly everyone: number;
}

/** Tolerated difference between the clocks of two backends. */
export const clockToleranceMs = 5_000;

/**
 * Returns an epoch that is greater than `old`. If the old one was lost, the result exceeds the clock by the tolerance.
 * So it exceeds every earlier one, because no clock of another backend is further ahead.
 */
export function nextEpoch(old: number | undefined, nowMs: number): number {
  const now = Math.floor(nowMs);
  return old === undefined ? now + clockToleranceMs : Math.max(old + 1, now);
}

/** The present epochs. A lost one is undefined. */
export interface PresentEpochs {
  readonly user: number | undefined;
  readonly everyone: number | undefined;
}

/** True if a session with the epochs `own` lives while `present` are the present ones. A missing epoch fails closed. */
export function isPresent(own: Epochs, present: PresentEpochs): boolean {
  return own.user === present.user && own.everyone === present.everyone;
}
