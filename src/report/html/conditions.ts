import { commandLine } from '../../shared/program-name.js';
import { shippedScenarios } from '../../shared/shipped-files.js';
import { driverLagP99MsMax } from '../../simulator/checker/verdict/doubts.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { labelRuns } from '../comparison.js';
import { count, countNoun, duration } from '../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

/** Renders the health of the lab, how to repeat the run, and what was not tested. */
export function conditionsSections(runs: readonly JudgedRun[]): Markup {
  return markup`<section aria-labelledby="lab"><h2 id="lab">The lab itself</h2>${scrollable('Health of the lab', labTable(runs))}
${countsTable(runs)}<p>${versions(runs)}</p></section>
<section aria-labelledby="repeat"><h2 id="repeat">How to repeat it</h2>
${repetition(runs)}
<h3>What was not tested</h3><ul>${limits(runs).map(limit => markup`<li>${limit}</li>`)}</ul>
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

function repetition(runs: readonly JudgedRun[]): Markup {
  const header = runs[0]?.run.header;
  if (header?.live) {
    return markup`<pre tabindex="0"><code>${commandLine('run', 'scenario.yaml')}</code></pre><p>The scenario beside this report has the strikes of the session, its users and its seed, ${header.seed}. If the sides were struck differently, scenario-right.yaml has those of the right one. A history gives the figures again: <code>${commandLine('report', 'history-left.ndjson')}</code></p>`;
  }
  return markup`<pre tabindex="0"><code>${command(runs)}</code></pre><p>The seed is ${header?.seed ?? ''}: the same plan, to the byte. The history file gives this report again: <code>${commandLine('report', 'history.ndjson', '--html', 'again.html')}</code></p>`;
}

function command(runs: readonly JudgedRun[]): string {
  const modes = [...new Set(runs.map(({ run }) => run.header.mode))].join(',');
  const header = runs[0]?.run.header;
  const proxy = header?.system?.proxyAsked;
  const name = header?.scenario ?? '';
  // A history does not tell the file of a scenario of one's own.
  const scenario = shippedScenarios.includes(name) ? name : `path/to/${name}.yaml`;
  const proxyFlag = proxy === undefined ? [] : ['--proxy', proxy];
  return commandLine('run', scenario, '--mode', modes, '--seed', String(header?.seed), ...proxyFlag);
}

function versions(runs: readonly JudgedRun[]): string {
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

function limits(runs: readonly JudgedRun[]): string[] {
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
