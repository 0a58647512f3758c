import { durationPattern, parseDuration } from '../../../shared/duration.js';
import { unknownName } from '../../../shared/unknown-name.js';
import { ScenarioError } from '../../errors.js';
import { type PhaseName, phaseNames, type RunRecord } from '../../history/records.js';

/** The part of a run that an expectation is about, as written after `during`. */
export type Window =
  | { readonly phase: (typeof windowPhases)[number] }
  /** The id of a fault: from its request until it was healed. */
  | { readonly fault: string }
  /** A span of the run's time. */
  | Span;

/** A span in milliseconds since the start of the run. `untilMs` is not part of it. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The phases in which users follow their plan. Nothing is planned in the others, so nothing could be seen there. */
export const windowPhases = ['warmup', 'baseline', 'faults', 'recovery'] as const satisfies readonly PhaseName[];

/** The text of a regular expression for a window, without groups or anchors. Fault ids use the same characters. */
export const windowPattern = '[a-z0-9][a-z0-9.-]*';

const betweenMoments = new RegExp(`^(?<from>${durationPattern})\\.\\.(?<until>${durationPattern})$`);

/** Parses a window. Throws `ScenarioError` for a span that goes backwards or a phase without users. It does not know
 * the faults of the run: see `describeUnknownWindow`. */
export function parseWindow(text: string): Window {
  const { from = '', until = '' } = betweenMoments.exec(text)?.groups ?? {};
  const [fromMs, untilMs] = [parseDuration(from), parseDuration(until)];
  if (fromMs !== undefined && untilMs !== undefined) {
    if (fromMs < untilMs) return { fromMs, untilMs };
    throw new ScenarioError(`found the window ${text}, expected its end after its beginning, such as 2s..5s`);
  }
  if (text.includes('..')) {
    throw new ScenarioError(`found the window ${text}, expected two moments of the run, such as 2s..5s`);
  }
  const phase = windowPhases.find(name => name === text);
  if (phase !== undefined) return { phase };
  if (!phaseNames.some(name => name === text)) return { fault: text };
  throw new ScenarioError(
    `found the window ${text}, for which nothing is planned, expected ${windowPhases.join(', ')}, the id of a fault, or moments such as 2s..5s`,
  );
}

/** Says what is wrong with a window that names a fault which is not among `faultIds`. Undefined when nothing is
 * wrong. */
export function describeUnknownWindow(window: Window, faultIds: readonly string[]): string | undefined {
  if (!('fault' in window) || faultIds.includes(window.fault)) return undefined;
  return unknownName('window', window.fault, [...windowPhases, ...faultIds, '<from>..<until>']);
}

/** Returns the span of a window. Pure. Undefined when the run never reached it, as for a fault that never struck. A
 * fault that was never healed lasts to the end. */
export function spanOf(window: Window, { phases, faults }: RunRecord): Span | undefined {
  if ('fromMs' in window) return window;
  if ('phase' in window) {
    const record = phases.find(({ phase }) => phase === window.phase);
    return record && { fromMs: record.startMs, untilMs: record.endMs };
  }
  const record = faults.find(({ id }) => id === window.fault);
  return record && { fromMs: record.requestedMs, untilMs: record.healedMs ?? Number.POSITIVE_INFINITY };
}
