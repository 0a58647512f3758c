import type { Diagnosis } from './findings.js';

const titles: Readonly<Record<Diagnosis['group'], string>> = {
  needed: 'Needed',
  packets: 'Optional: faults of packets',
  proxies: 'Optional: other proxies',
  members: 'Optional: members of a running system (system.members)',
  tests: 'Optional: the tests of this clone',
  machine: 'This machine',
};

/** Colours a word by its state. */
export type Paint = (word: string, state: Diagnosis['state'], group: Diagnosis['group']) => string;

/** Draws the findings as lines in groups. A finding that is not ok also says what does not work, and what to type. */
export function drawFindings(findings: readonly Diagnosis[], columns: number, paint: Paint): string {
  const groups = (Object.keys(titles) as Diagnosis['group'][]).map(group =>
    findings.filter(finding => finding.group === group),
  );
  const nameWidth = Math.max(...findings.map(({ name }) => name.length));
  return groups
    .flatMap(group => {
      const [first] = group;
      return first === undefined ? [] : [titles[first.group], ...group.flatMap(each => linesOf(each)), ''];
    })
    .join('\n');

  function linesOf({ name, group, state, found, use, remedy }: Diagnosis): string[] {
    const indent = ' '.repeat(stateWidth + nameWidth + 6);
    const head = `  ${paint(state.padEnd(stateWidth), state, group)}  ${name.padEnd(nameWidth)}  `;
    const [line = '', ...rest] = wrap(found, columns - indent.length);
    const more = state === 'ok' ? [] : [`does not work: ${use}`, ...(remedy === undefined ? [] : [`type: ${remedy}`])];
    const below = [...rest, ...more.flatMap(text => wrap(text, columns - indent.length))];
    return [`${head}${line}`.trimEnd(), ...below.map(text => `${indent}${text}`)];
  }
}

const stateWidth = 'missing'.length;
const columnsLeast = 30;

/** Breaks a text into lines at blanks. A word that is longer than a line stays whole. */
function wrap(text: string, columns: number): readonly string[] {
  const width = Math.max(columns, columnsLeast);
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
