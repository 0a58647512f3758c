import { unknownName } from '../../shared/unknown-name.js';
import { ScenarioError } from '../errors.js';
import { type CounterName, counterNames, isCounter } from '../run/live-counts.js';

/**
 * When a fault strikes: so long after the faults phase began; so long after another fault was over (healed, or, when it
 * lasts to the end of the phase, confirmed); or as soon as so much has happened, of all the run or since another fault
 * was confirmed.
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
}

/** As text of a regular expression, without groups or anchors. */
export const faultIdPattern = '[a-z][a-z0-9-]{0,39}';

export const whenPattern = new RegExp(
  String.raw`^(?<counter>[\w.]+)(?:\s+since\s+(?<since>${faultIdPattern}))?\s*>=\s*(?<count>[1-9]\d{0,8})$`,
);

/** Throws `ScenarioError`: what was found, what was expected. Whether there is such a fault is not known here. */
export function parseWhen(text: string): WhenTrigger {
  const { counter = '', since, count } = whenPattern.exec(text)?.groups ?? {};
  if (!isCounter(counter)) throw new ScenarioError(unknownName('count', counter, counterNames));
  return { counter, ...(since !== undefined && { sinceFault: since }), atLeast: Number(count) };
}

/** As it stands in a scenario file. */
export function whenInWords({ counter, sinceFault, atLeast }: WhenTrigger): string {
  return `${counter}${sinceFault === undefined ? '' : ` since ${sinceFault}`} >= ${atLeast}`;
}
