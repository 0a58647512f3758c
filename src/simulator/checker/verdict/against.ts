import { describeInterval, isSame, type ModeSummary, type RepeatedExpectation } from './repeats.js';

/** One line of a comparison. */
export interface ResultChange {
  readonly mode: string;
  /** `worse`: an expectation was met before and is not met now, or more runs lost something. */
  readonly kind: 'worse' | 'better' | 'same' | 'missing';
  /** Whether it fails the command: an expectation was met before and is not met now. */
  readonly fails: boolean;
  readonly text: string;
}

/**
 * Lists what changed since an earlier report of the same scenario, mode by mode, in the order of `now`. Pure.
 * An expectation is met when every run that judged it met it. A share of lost runs is worse only when the two intervals
 * do not overlap. Modes and expectations that only one report holds are listed as missing.
 */
export function compareWithEarlier(earlier: readonly ModeSummary[], now: readonly ModeSummary[]): ResultChange[] {
  const gone = earlier.filter(({ mode }) => !now.some(each => each.mode === mode));
  return [
    ...now.flatMap(mode => {
      const before = earlier.find(each => each.mode === mode.mode);
      return before === undefined
        ? [describeMissing(mode.mode, 'the earlier report does not hold this mode')]
        : compareMode(before, mode);
    }),
    ...gone.map(({ mode }) => describeMissing(mode, 'this run does not hold this mode, the earlier report does')),
  ];
}

function compareMode(before: ModeSummary, now: ModeSummary): ResultChange[] {
  const { mode } = now;
  if (isInconclusive(now)) return [describeMissing(mode, 'every run is inconclusive, so nothing can be compared')];
  if (isInconclusive(before))
    return [describeMissing(mode, 'every run of the earlier report was inconclusive, so nothing can be compared')];
  return [
    ...now.expectations.flatMap(expectation => {
      const earlier = before.expectations.find(one => isSame(one, expectation));
      if (earlier !== undefined) return compareExpectation(mode, earlier, expectation);
      return [describeMissing(mode, `the earlier report does not hold ${expectation.text}`)];
    }),
    ...before.expectations
      .filter(expectation => !now.expectations.some(one => isSame(one, expectation)))
      .map(({ text }) => describeMissing(mode, `this run does not expect ${text}, the earlier one did`)),
    compareLost(before, now),
  ];
}

function isInconclusive({ runs, verdicts, lost }: ModeSummary): boolean {
  return verdicts.inconclusive === runs && lost.of === 0;
}

function compareExpectation(mode: string, before: RepeatedExpectation, now: RepeatedExpectation): ResultChange[] {
  const { text, level } = now;
  const name = level === 'warn' ? `${text} (a warning)` : text;
  if (before.judged === 0 || now.judged === 0) {
    const unable = now.judged === 0 ? 'this run' : 'the earlier report';
    return [describeMissing(mode, `${unable} could not judge ${name}`)];
  }
  const [wasMet, isMet] = [before, now].map(({ held, judged }) => held === judged);
  if (wasMet === isMet) return [];
  const [heldNow, heldBefore] = [now, before].map(({ held, judged }) => `${held} of ${judged}`);
  const said = `${name} held in ${heldNow} runs, before in ${heldBefore}`;
  if (isMet) return [{ mode, kind: 'better', fails: false, text: `${said}: better` }];
  return [{ mode, kind: 'worse', fails: level !== 'warn', text: `${said}: worse` }];
}

function compareLost(before: ModeSummary, now: ModeSummary): ResultChange {
  const { mode } = now;
  const [is, was] = [now.lost, before.lost];
  const said = `lost something in ${is.times} of ${is.of} runs, before in ${was.times} of ${was.of}`;
  if (is.low > was.high) return { mode, kind: 'worse', fails: false, text: `${said}: worse` };
  if (is.high < was.low) return { mode, kind: 'better', fails: false, text: `${said}: better` };
  const runs = Math.min(is.of, was.of);
  const few = `no difference that ${runs} ${runs === 1 ? 'run' : 'runs'} can show`;
  return { mode, kind: 'same', fails: false, text: `${said}: ${few} (${describeInterval(is)} now)` };
}

function describeMissing(mode: string, text: string): ResultChange {
  return { mode, kind: 'missing', fails: false, text };
}
