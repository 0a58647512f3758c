import { type ModeName, modeNames } from '#src/modes.js';
import type { CellResult, Form } from './cells.js';
import { liars } from './liars.js';

const titles = { full: '## As shipped (`run`)', short: '## The short form (`matrix`)' };

/** Returns the section of docs/liars.md about one form: first the results of each liar, then every scenario and
 * mode. */
export function sectionOf(form: Form, results: readonly CellResult[]): string {
  return [
    titles[form],
    '',
    `${results.length} pairs of scenario and mode.`,
    '',
    ...liarTable(results),
    '',
    'Each cell: how many liars failed + how many were inconclusive. Empty: the scenario cannot be run in the mode.',
    '',
    ...cellTable(results),
    '',
  ].join('\n');
}

function liarTable(results: readonly CellResult[]): string[] {
  const rows = Object.keys(liars).map(name => {
    const words = results.map(({ verdicts }) => verdicts[name]?.word);
    const count = (word: string | undefined) => words.filter(one => one === word).length;
    const told = count('fail') + count('inconclusive') + count('pass');
    return `| ${name} | ${told} | ${count('fail')} | ${count('inconclusive')} | ${count('pass')} | ${decidingReasons(name, results)} |`;
  });
  return [
    '| liar | told in | fail | inconclusive | pass | most often decided by |',
    '|---|---|---|---|---|---|',
    ...rows,
  ];
}

/** Lists the three metrics or doubts that decided most often. */
function decidingReasons(liar: string, results: readonly CellResult[]): string {
  const counts = new Map<string, number>();
  for (const { verdicts } of results) {
    const reason = verdicts[liar]?.reasons[0];
    if (reason === undefined) continue;
    const name = nameOf(reason);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const byCount = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return byCount
    .slice(0, 3)
    .map(([name, count]) => `${name} (${count})`)
    .join(', ');
}

/** Short names of doubts, because a whole sentence is too long for the table. */
const doubts: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/had no effect that users could notice/, 'no effect'],
  [/never had a good read/, 'unverified users'],
  [/acknowledged writes \(.*\) never were read again/, 'unverified writes'],
  [/No write was acknowledged/, 'nothing written'],
  [/No user logged in/, 'no login'],
  [/never struck/, 'a fault never struck'],
  [/planned operations/, 'too few operations'],
];

function nameOf(reason: string): string {
  const metric = /^Expected (\S+(?: during \S+)?) /.exec(reason)?.[1];
  if (metric !== undefined) return `\`${metric}\``;
  return doubts.find(([pattern]) => pattern.test(reason))?.[1] ?? 'another doubt';
}

function cellTable(results: readonly CellResult[]): string[] {
  const scenarios = [...new Set(results.map(({ scenario }) => scenario))];
  const rows = scenarios.map(scenario => {
    const cells = modeNames.map(mode => {
      const cell = results.find(one => one.scenario === scenario && one.mode === mode);
      return cell === undefined ? '' : cellText(cell);
    });
    return `| \`${scenario}\` | ${cells.join(' | ')} |`;
  });
  return [`| scenario | ${modeNames.join(' | ')} |`, `|---|${modeNames.map(() => '---|').join('')}`, ...rows];
}

/** Returns the text of one cell of the table: the counts of the liars that failed and that were inconclusive. */
export function cellText({ verdicts }: CellResult): string {
  const count = (word: string) => Object.values(verdicts).filter(verdict => verdict?.word === word).length;
  const passed = count('pass');
  return `${count('fail')} + ${count('inconclusive')}${passed === 0 ? '' : `, **${passed} pass**`}`;
}

/** Reads the tables of a page. Returns a function that finds the text of a cell. */
export function parsePage(page: string): (form: Form, scenario: string, mode: ModeName) => string | undefined {
  return (form, scenario, mode) => {
    const [, section = ''] = page.split(titles[form]);
    const row = section.split('\n').find(line => line.startsWith(`| \`${scenario}\` |`));
    return row?.split('|')[modeNames.indexOf(mode) + 2]?.trim();
  };
}

/** Returns the text above the two sections. */
export function introduction(): string {
  const rows = Object.entries(liars).map(([name, { does }]) => `| ${name} | ${does} |`);
  return [
    '# Liars: can a verdict be fooled?',
    '',
    'After this page you can judge how far to trust a pass.',
    '',
    'A pass must mean that something was tested and held. So every shipped scenario is also run against systems that lie.',
    'The runs take place in memory: the users, their plan and the checker are the real ones, and a model stands for the',
    'proxies, the backends and the store. The honest model passes every scenario in every mode. Each liar below changes',
    'its history in one way. None of them may pass:',
    '',
    '- `fail`: the checker found what is wrong.',
    '- `inconclusive`: the checker says that the run proves nothing, and why.',
    '',
    '| liar | it … |',
    '|---|---|',
    ...rows,
    '',
    '*untouched* needs a fault, and *frozen* needs a cart that changes after the baseline. Elsewhere they cannot lie.',
    'Without a fault, the baseline replaces the phase of the faults, and its end replaces the first fault.',
    '',
    'This page is generated. `npm run test:containers` compares it with new runs, `npm test` with a sample of them. They say',
    'how to write it again. With `LIARS=1` they print each verdict with its first reason.',
    '',
  ].join('\n');
}
