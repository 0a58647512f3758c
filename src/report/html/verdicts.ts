import { commandLine, shippedScenarioNames } from '../../shared/package.js';
import type { Span } from '../../simulator/checker/load.js';
import { driverLagP99MsMax } from '../../simulator/checker/verdict/doubts.js';
import type { EvaluatedExpectation } from '../../simulator/checker/verdict/expectations.js';
import { findingsWithin } from '../../simulator/checker/verdict/metrics.js';
import type { JudgedRun, VerdictWord } from '../../simulator/checker/verdict/verdict.js';
import type { RunRecord } from '../../simulator/history/records.js';
import { labelRuns } from '../comparison.js';
import { type ExpectationState, listNotJudged, listWarnings, stateOf, verdictName } from '../judged-run.js';
import { count, countNoun, duration, moment } from '../numbers.js';
import { describeOutcome } from '../sentence.js';
import { type Markup, markup, scrollable } from './page.js';

/**
 * The verdicts and what they rest on: the figures of each part of a run, the health of the lab, and what was not tested.
 */

const signs: Record<VerdictWord | 'observed', string> = { pass: '✓', fail: '✗', inconclusive: '?', observed: '·' };

export function badge(judged: JudgedRun): Markup {
  const word = verdictName(judged);
  return markup`<span class="badge ${word}"><span aria-hidden="true">${signs[word]}</span> ${word}</span>`;
}

/** Renders what happened: one sentence per mode, the reasons if it is not a pass, and the warnings. */
export function verdictSection(runs: readonly JudgedRun[]): Markup {
  const items = runs.map(judged => {
    const reasons = judged.run.header.live ? [] : judged.verdict.reasons;
    const warnings = listWarnings(judged).map(warning => `Warning: ${warning}`);
    const lines = [...reasons, ...warnings, ...listNotJudged(judged.verdict).map(toSentence)];
    const because =
      lines.length === 0 ? '' : markup`<ul class="reasons">${lines.map(line => markup`<li>${line}</li>`)}</ul>`;
    return markup`<li>${badge(judged)}<div><p>${keepUnits(describeOutcome(judged))}.</p>${notBackPart(judged)}${because}${expectationsPart(judged)}</div></li>`;
  });
  return markup`<section aria-labelledby="verdicts"><h2 id="verdicts">What happened</h2><ul class="verdicts">${items}</ul>
<p class="meta">${explainVerdicts(runs)}</p></section>
`;
}

function explainVerdicts(runs: readonly JudgedRun[]): Markup {
  if (runs.every(({ run }) => run.header.live)) {
    const isMissing = runs.some(({ findings: { writes } }) => writes.missing > writes.lost);
    const missing = markup` <b>missing</b>: the last answer that had to show these writes did not show them. They are not proven lost, because no answer came after the last healing.`;
    return markup`A session of the live lab expects nothing, so it has no verdict.${isMissing ? missing : ''}`;
  }
  return markup`<b>pass</b>: the run meets every expectation of the scenario that was judged. A scenario may expect losses: those are marked “as expected”. <b>fail</b>: an expectation is not met. <b>inconclusive</b>: the run shows too little for a verdict.`;
}

/** Renders the members that did not come back, with the last lines that each wrote. */
function notBackPart({ run, findings }: JudgedRun): Markup | string {
  const records = run.faults.flatMap(({ id, notBack = [] }) => notBack.map(one => ({ ...one, fault: id })));
  const unrecorded = findings.members.notBack.filter(name => records.every(({ member }) => member !== name));
  if (records.length + unrecorded.length === 0) return '';
  return markup`<div class="not-back">${records.map(
    ({ member, fault, why }) =>
      markup`<p><b>✗ ${member} did not come back</b> after the fault ${fault}.</p><pre tabindex="0"><code>${why}</code></pre>`,
  )}${unrecorded.map(member => markup`<p><b>✗ ${member} did not come back.</b></p>`)}</div>`;
}

/** Keeps each figure and its unit on one line. */
function keepUnits(text: string): string {
  return text.replaceAll(/(?<=\d) (?=(?:%|m?s)(?:\W|$))/g, '\u00a0');
}

function toSentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** Renders the expectations. They are folded when all are met, because the sentence already says that. */
function expectationsPart({ run, verdict: { expectations } }: JudgedRun): Markup | string {
  if (run.header.live) return '';
  if (expectations.length === 0) return markup`<p class="meta">The scenario expects nothing of this mode.</p>`;
  const times = (state: ExpectationState) => expectations.filter(expectation => stateOf(expectation) === state).length;
  const head = markup`<tr><th scope="col">result</th><th scope="col">expected</th><th scope="col">measured</th></tr>`;
  const rows = expectations.map(expectationRow);
  const table = scrollable('Expectations', markup`<table><thead>${head}</thead><tbody>${rows}</tbody></table>`);
  const open = times('met') === expectations.length ? markup`<details>` : markup`<details open>`;
  const notJudged = times('not judged') === 0 ? '' : `, ${times('not judged')} not judged`;
  return markup`${open}<summary>${times('met')} of ${countNoun(expectations.length, 'expectation')} met${notJudged}</summary>${table}</details>`;
}

const results: Record<ExpectationState, Markup> = {
  met: markup`<td class="pass">✓ met</td>`,
  'not met': markup`<td class="fail">✗ not met</td>`,
  warning: markup`<td class="inconclusive">! warning</td>`,
  'not judged': markup`<td class="inconclusive">? not judged</td>`,
};

function expectationRow(expectation: EvaluatedExpectation): Markup {
  const { text, actual, notJudged } = expectation;
  const measured = notJudged === undefined ? actual : `${actual}, not judged: ${notJudged}`;
  return markup`<tr>${results[stateOf(expectation)]}<td><code>${text}</code></td><td>${measured}</td></tr>`;
}

/** A part of a run with separate figures. */
interface WindowPart extends Span {
  readonly name: string;
}

/**
 * Divides a run: before the first fault was requested, from there until the last fault was healed, and afterwards. It
 * leaves out warm-up and read-back, because real traffic is different. A run without faults is one part.
 */
export function partsOf({ phases, faults }: Pick<RunRecord, 'phases' | 'faults'>): readonly WindowPart[] {
  const fromMs = phases.find(({ phase }) => phase === 'warmup')?.endMs ?? 0;
  const untilMs = phases.find(({ phase }) => phase === 'readback')?.startMs ?? Number.POSITIVE_INFINITY;
  if (faults.length === 0) return [{ name: 'no fault', fromMs, untilMs }];
  const struck = Math.min(...faults.map(({ requestedMs }) => requestedMs));
  const healed = Math.max(...faults.map(({ healedMs }) => healedMs ?? untilMs));
  return [
    { name: 'before', fromMs, untilMs: struck },
    { name: 'during', fromMs: struck, untilMs: healed },
    { name: 'after', fromMs: healed, untilMs },
  ].filter(part => part.untilMs > part.fromMs);
}

const windowTitles = ['part', 'from', 'due', 'ok', 'failed', 'unknown', 'dropped', 'p50', 'p90', 'p99', 'max'];

export function windowsSection(runs: readonly JudgedRun[]): Markup {
  const names = labelRuns(runs);
  const head = windowTitles.map(title => markup`<th scope="col">${title}</th>`);
  const rows = runs.flatMap((judged, index) => runRows(judged, names[index] ?? ''));
  const table = markup`<table class="windows"><thead><tr><td></td>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`<section aria-labelledby="windows"><h2 id="windows">Before, during and after the faults</h2>${scrollable('Response times', table)}
<p class="meta">Requests count at the time when they were due, as in expectations with a window, and response times start then. Warm-up and read-back are left out. During: from the request of the first fault until the last one was healed.</p></section>
`;
}

function runRows(judged: JudgedRun, name: string): Markup[] {
  const parts = partsOf(judged.run);
  return parts.map((part, index) => {
    const title = index === 0 ? markup`<th scope="rowgroup" rowspan="${parts.length}">${name}</th>` : '';
    const cells = [moment(part.fromMs), ...windowFigures(judged, part)];
    return markup`<tr>${title}<th scope="row">${part.name}</th>${cells.map(cell => markup`<td>${cell}</td>`)}</tr>`;
  });
}

function windowFigures({ run, findings }: JudgedRun, part: WindowPart): string[] {
  const within = findingsWithin(run, findings, part);
  if (within === undefined) return windowTitles.slice(2).map(() => '–');
  const { planned, ok, failed, unknown, dropped } = within.requests;
  const { p50, p90, p99, max } = within.latencyMs;
  return [...[planned, ok, failed, unknown, dropped].map(count), ...[p50, p90, p99, max].map(duration)];
}

/** Renders the health of the lab, how to repeat the run, and what was not tested. */
export function conditionsSections(runs: readonly JudgedRun[]): Markup {
  return markup`<section aria-labelledby="lab"><h2 id="lab">The lab itself</h2>${scrollable('Health of the lab', labTable(runs))}
${countsTable(runs)}<p>${describeVersions(runs)}</p></section>
<section aria-labelledby="repeat"><h2 id="repeat">How to repeat it</h2>
${repetitionPart(runs)}
<h3>What was not tested</h3><ul>${listUntested(runs).map(limit => markup`<li>${limit}</li>`)}</ul>
</section>
`;
}

/** Renders the counters of each process, one line each, because their names differ too much for columns. */
function countsTable(runs: readonly JudgedRun[]): Markup | string {
  const names = labelRuns(runs);
  const rows = runs.flatMap(({ run }, index) =>
    Object.entries(run.lab.counts ?? {}).map(([member, counts]) => {
      const texts = Object.entries(counts).map(([name, value]) => `${name} ${count(value)}`);
      return markup`<tr><td>${names[index] ?? ''}</td><td>${member}</td><td>${texts.join(', ') || '–'}</td></tr>`;
    }),
  );
  if (rows.length === 0) return '';
  const head = ['mode', 'process', 'counted since its last boot'].map(title => markup`<th scope="col">${title}</th>`);
  const table = markup`<table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`<details><summary>Counters of the backends and stores</summary>${scrollable('Counts', table)}</details>`;
}

function labTable(runs: readonly JudgedRun[]): Markup {
  const rows: [string, (judged: JudgedRun) => string][] = [
    [
      'driver lag p50 / p99 / max',
      ({ run: { lab } }) => [lab.lagMs.p50, lab.lagMs.p99, lab.lagMs.max].map(duration).join(' / '),
    ],
    [
      `lag p99 within ${driverLagP99MsMax} ms`,
      ({ run: { lab } }) => (lab.lagMs.p99 <= driverLagP99MsMax ? 'yes' : 'no: latencies are the lab’s own'),
    ],
    [
      'longest time with no idle processor',
      ({ run: { lab } }) => (lab.busyMs === undefined ? '–' : duration(lab.busyMs)),
    ],
    ['operations planned / sent', ({ run }) => `${count(run.header.planned)} / ${count(run.operations.length)}`],
    ['dropped by the driver', ({ run: { lab } }) => count(lab.dropped)],
    [
      'service time p50 / p99',
      ({ findings: { serviceMs } }) => `${duration(serviceMs.p50)} / ${duration(serviceMs.p99)}`,
    ],
    ['users not verified by a later read', ({ findings: { users } }) => count(users.unverified)],
    ['writes not verified by a later read', ({ findings: { writes } }) => count(writes.unverified)],
  ];
  const head = labelRuns(runs).map(label => markup`<th scope="col">${label}</th>`);
  const body = rows.map(
    ([label, cell]) =>
      markup`<tr><th scope="row">${label}</th>${runs.map(run => markup`<td>${keepFiguresTogether(cell(run))}</td>`)}</tr>`,
  );
  return markup`<table class="comparison"><thead><tr><td></td>${head}</tr></thead><tbody>${body}</tbody></table>`;
}

/** Makes a narrow column break between the figures and never before a unit. */
function keepFiguresTogether(text: string): string {
  return text.replaceAll(/(?<=\d) (?=[a-z])/g, '\u00a0').replaceAll(' /', '\u00a0/');
}

function repetitionPart(runs: readonly JudgedRun[]): Markup {
  const header = runs[0]?.run.header;
  if (header?.live) {
    return markup`<pre tabindex="0"><code>${commandLine('run', 'scenario.yaml')}</code></pre><p>The scenario beside this report has the strikes of the session, its users and its seed, ${header.seed}. If the sides were struck differently, scenario-right.yaml has those of the right one. A history gives the figures again: <code>${commandLine('report', 'history-left.ndjson')}</code></p>`;
  }
  return markup`<pre tabindex="0"><code>${repeatCommand(runs)}</code></pre><p>The seed is ${header?.seed ?? ''}: the same plan, to the byte. The history file gives this report again: <code>${commandLine('report', 'history.ndjson', '--html', 'again.html')}</code></p>`;
}

function repeatCommand(runs: readonly JudgedRun[]): string {
  const modes = [...new Set(runs.map(({ run }) => run.header.mode))].join(',');
  const header = runs[0]?.run.header;
  const proxy = header?.system?.proxyAsked;
  const name = header?.scenario ?? '';
  // A history does not hold the path of the user's own scenario file.
  const scenario = shippedScenarioNames().includes(name) ? name : `path/to/${name}.yaml`;
  const proxyFlag = proxy === undefined ? [] : ['--proxy', proxy];
  return commandLine('run', scenario, '--mode', modes, '--seed', String(header?.seed), ...proxyFlag);
}

function describeVersions(runs: readonly JudgedRun[]): string {
  const all = Object.assign({}, ...runs.map(({ run }) => run.header.versions)) as Record<string, string>;
  return Object.entries(all)
    .map(([name, version]) => `${name} ${version}`)
    .join(' · ');
}

/** Dangers to machines and between them, each with the fault that tests it. */
const untested = [
  ['loss', 'packet loss between machines'],
  ['slow', 'delay between machines'],
  ['power-cut', 'power cut'],
  ['clock-skew', 'wrong clock'],
] as const;

function listUntested(runs: readonly JudgedRun[]): string[] {
  const struck = new Set(runs.flatMap(({ run }) => run.faults.map(({ fault }) => fault)));
  const faults = new Set(runs.flatMap(({ run }) => run.faults.map(({ fault, target }) => `${fault} of ${target}`)));
  const dropped = runs.reduce((total, { run }) => total + run.lab.dropped, 0);
  const unverified = runs.reduce((total, { findings }) => total + findings.writes.unverified, 0);
  return [
    faults.size === 0 ? 'No fault was injected.' : `No fault except ${[...faults].join(', ')}, at these moments.`,
    `One machine: ${untested.flatMap(([fault, what]) => (struck.has(fault) ? [] : [`no ${what}`])).join(', ')}.`,
    'The seed fixes the actions of the users and the faults, not how the servers interleave the requests.',
    ...(dropped === 0
      ? []
      : [`${countNoun(dropped, 'operation')} of the plan: the user was still waiting for earlier ones.`]),
    ...(unverified === 0 ? [] : [`${countNoun(unverified, 'acknowledged write')} that no later read verified.`]),
  ];
}
