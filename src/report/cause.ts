import type { Incident } from '../simulator/checker/findings.js';

/** The faults that may have caused it: `cut, kill`, or `unexplained`. Undefined where no fault struck. */
export function describeCause({ candidates, fault }: Incident): string | undefined {
  if (candidates === undefined) return fault;
  return candidates.length === 0 ? 'unexplained' : candidates.join(', ');
}
