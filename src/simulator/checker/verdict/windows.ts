import { durationPattern, parseDuration } from '../../../shared/duration.js';
import { unknownName } from '../../../shared/unknown-name.js';
import { ScenarioError } from '../../errors.js';
import { type PhaseName, phaseNames, type RunRecord } from '../../history/records.js';

/** The part of a run that an expectation is about, as written behind `during`. */
export type Window =
  | { readonly phase: (typeof windowPhases)[number] }
  /** From when the fault was requested until it was healed. */
  | { readonly fault: string }
  /** Time of the run. */
  | Span;

/** Milliseconds since the start of the run; the end is not part of it. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Those in which users live their plan: nothing is planned for the others, so nothing could be seen in them. */
export const windowPhases = ['warmup', 'baseline', 'faults', 'recovery'] as const satisfies readonly PhaseName[];

/** `during <this>`: as text of a regular expression, without groups or anchors. Faults have ids of the same letters. */
export const windowPattern = '[a-z0-9][a-z0-9.-]*';

const betweenMoments = new RegExp(`^(?<from>${durationPattern})\\.\\.(?<until>${durationPattern})$`);

/** Throws `ScenarioError` when it is a span that goes backwards or a phase without users. Whether there is such a fault is
 * not known here: see `strangeWindow`. */
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

/** Says what is wrong with a window that is named after a fault, and after none of these; undefined when nothing is. */
export function strangeWindow(window: Window, faultIds: readonly string[]): string | undefined {
  if (!('fault' in window) || faultIds.includes(window.fault)) return undefined;
  return unknownName('window', window.fault, [...windowPhases, ...faultIds, '<from>..<until>']);
}

/** Pure. Undefined when the run never came to it: a fault that never struck. One that was never healed lasts to the end. */
export function spanOf(window: Window, { phases, faults }: RunRecord): Span | undefined {
  if ('fromMs' in window) return window;
  if ('phase' in window) {
    const record = phases.find(({ phase }) => phase === window.phase);
    return record && { fromMs: record.startMs, untilMs: record.endMs };
  }
  const record = faults.find(({ id }) => id === window.fault);
  return record && { fromMs: record.requestedMs, untilMs: record.healedMs ?? Number.POSITIVE_INFINITY };
}
