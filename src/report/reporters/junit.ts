import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { describeMissingTarget, type NotApplicable } from '../../simulator/scenario/scenario.js';
import { labelRuns } from '../comparison.js';
import { stateOf } from '../judged-run.js';
import type { Reporter } from '../reporter.js';

type Verdict = JudgedRun['verdict'];

/**
 * Renders JUnit XML for CI servers: a suite per scenario and mode, a case per expectation.
 *
 * - not met: `<failure>`; a warning that is not met: `<system-out>`
 * - not judged: `<skipped>`
 * - inconclusive run: one `<error>`, and every expectation `<skipped>`
 * - mode that could not run: one case, `<skipped>`
 */
export const junit: Reporter = (runs, { notApplicable = [] }) => {
  const names = labelRuns(runs);
  const scenario = runs[0]?.run.header.scenario ?? '';
  const suites = [
    ...runs.map((judged, index) => suite(judged, names[index] ?? judged.run.header.mode)),
    ...notApplicable.map(each => skippedSuite(scenario, each)),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="holdfast">\n${suites.join('\n')}\n</testsuites>\n`;
};

function suite({ run, verdict }: JudgedRun, label: string): string {
  const { scenario, startedAt } = run.header;
  const name = `${scenario} ${label}`;
  const cases = [...verdictCase(verdict), ...verdict.expectations.map(each => expectationCase(verdict, each))];
  const counts = {
    tests: cases.length,
    failures: cases.filter(({ outcome }) => outcome === 'failure').length,
    errors: cases.filter(({ outcome }) => outcome === 'error').length,
    skipped: cases.filter(({ outcome }) => outcome === 'skipped').length,
  };
  const seconds = Math.max(0, ...run.phases.map(({ endMs }) => endMs)) / 1000;
  const head = attributes({ name, ...counts, time: seconds.toFixed(3), timestamp: startedAt });
  return [`  <testsuite ${head}>`, ...cases.map(each => element(name, each)), '  </testsuite>'].join('\n');
}

function skippedSuite(scenario: string, missing: NotApplicable): string {
  const name = `${scenario} ${missing.mode}`;
  const message = describeMissingTarget(missing);
  const head = attributes({ name, tests: 1, failures: 0, errors: 0, skipped: 1 });
  const only = element(name, { name: 'not applicable', outcome: 'skipped', message });
  return [`  <testsuite ${head}>`, only, '  </testsuite>'].join('\n');
}

interface Case {
  readonly name: string;
  readonly outcome: 'passed' | 'warning' | 'failure' | 'error' | 'skipped';
  readonly message: string;
}

/** Returns the case that says why a run is not a pass; none for a pass. */
function verdictCase({ word, reasons }: Verdict): Case[] {
  if (word === 'pass') return [];
  const outcome = word === 'inconclusive' ? 'error' : 'failure';
  return [{ name: `verdict: ${word}`, outcome, message: reasons.join('\n') }];
}

const outcomes = {
  met: 'passed',
  warning: 'warning',
  'not met': 'failure',
  'not judged': 'skipped',
} as const satisfies Record<ReturnType<typeof stateOf>, Case['outcome']>;

function expectationCase({ word }: Verdict, expectation: Verdict['expectations'][number]): Case {
  const { text, level, actual, notJudged } = expectation;
  const name = level === undefined ? text : `${level}: ${text}`;
  if (word === 'inconclusive') return { name, outcome: 'skipped', message: 'the run is inconclusive' };
  const message = notJudged === undefined ? `it was ${actual}` : `not judged: ${notJudged}`;
  return { name, outcome: outcomes[stateOf(expectation)], message };
}

function element(suiteName: string, { name, outcome, message }: Case): string {
  const head = `    <testcase ${attributes({ classname: suiteName, name })}`;
  if (outcome === 'passed') return `${head}/>`;
  if (outcome === 'warning')
    return `${head}>\n      <system-out>${escapeXml(`warning: ${message}`)}</system-out>\n    </testcase>`;
  return `${head}>\n      <${outcome} ${attributes({ message })}/>\n    </testcase>`;
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${escapeXml(String(value))}"`)
    .join(' ');
}

/** Escapes text for XML. Line breaks become references, because attributes would lose them. Replaces characters that
 * XML 1.0 does not allow. */
function escapeXml(text: string): string {
  return (
    text
      .replace(/\p{Surrogate}/gu, '\ufffd')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it removes control characters
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g, '\ufffd')
      .replace(/[&<>"'\t\n\r]/g, character => `&#${character.charCodeAt(0)};`)
  );
}
