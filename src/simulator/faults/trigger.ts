import { durationPattern, formatDuration, parseDuration } from '../../shared/duration.js';
import { unknownName } from '../../shared/unknown-name.js';
import { ScenarioError } from '../errors.js';
import { type CounterName, counterNames, isCounter } from '../run/live-counts.js';

/**
 * Moment at which a fault strikes. There are three kinds:
 * - a time after the start of the faults phase,
 * - a time after another fault was healed, or was confirmed if that one lasts to the end of the phase,
 * - a count that is reached, in the whole run or since another fault was confirmed, and a time after that.
 */
export type FaultTrigger = AtTrigger | AfterTrigger | WhenTrigger;

export interface AtTrigger {
  readonly atMs: number;
}
export interface AfterTrigger {
  readonly afterFault: string;
  readonly delayMs: number;
}
export interface WhenTrigger {
  readonly counter: CounterName;
  readonly sinceFault?: string;
  readonly atLeast: number;
  /** Time from the count to the strike. Absent: none. */
  readonly delayMs?: number;
}

/** Source of a regular expression, without groups or anchors. */
export const faultIdPattern = '[a-z][a-z0-9-]{0,39}';

export const whenPattern = new RegExp(
  String.raw`^(?<counter>[\w.]+)(?:\s+since\s+(?<since>${faultIdPattern}))?\s*>=\s*(?<count>[1-9]\d{0,8})(?:\s*\+\s*(?<delay>${durationPattern}))?$`,
);

/** Parses `when`. Throws `ScenarioError` for an unknown count. Does not check that the fault after `since` exists. */
export function parseWhen(text: string): WhenTrigger {
  const { counter = '', since, count, delay } = whenPattern.exec(text)?.groups ?? {};
  if (!isCounter(counter)) throw new ScenarioError(unknownName('count', counter, counterNames));
  const delayMs = parseDuration(delay ?? '') ?? 0;
  return {
    counter,
    ...(since !== undefined && { sinceFault: since }),
    atLeast: Number(count),
    ...(delayMs > 0 && { delayMs }),
  };
}

/** Returns the trigger as a scenario file writes it. */
export function formatWhen({ counter, sinceFault, atLeast, delayMs = 0 }: WhenTrigger): string {
  const since = sinceFault === undefined ? '' : ` since ${sinceFault}`;
  return `${counter}${since} >= ${atLeast}${delayMs > 0 ? ` + ${formatDuration(delayMs)}` : ''}`;
}
