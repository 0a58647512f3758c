import type { ExpectedEffect } from '#src/simulator/history/records.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import type { ModelSystem } from './system.js';

/** Returns the counter that an effect names. Undefined when the history alone shows the effect. */
export function meterOf(
  effect: ExpectedEffect,
  { do: fault, target }: FaultSpec,
  system: ModelSystem,
): (() => number) | undefined {
  switch (effect.kind) {
    case 'broken':
      return () => system.links.find(target)?.brokenAnswers ?? 0;
    case 'asked':
      return fault === 'promote' ? () => system.store?.member(target).asked ?? 0 : undefined;
    case 'link-bytes':
      return () => (system.store?.missedBytes(target) ?? 0) + (system.links.find(target)?.lostBytes ?? 0);
    default:
      return undefined;
  }
}
