import type { Success } from './attack.js';
import type { Finding } from './finding.js';
import { renderTable } from './markdown.js';

/** Renders the table of the probes with the weak variant and the answer in which each succeeded. Names, ports, numbers
 * and tokens are replaced by a letter or an ellipsis, because they differ from run to run. */
export function renderSuccesses(findings: readonly Finding[]): readonly string[] {
  const rows = findings.flatMap(({ attack, variant, mustSucceed, result }) =>
    mustSucceed.map(probe => {
      const success = 'probes' in result ? result.probes[probe]?.success : undefined;
      const told =
        success === undefined ? [`**${result.outcome}**`, ''] : [maskChance(success.reason), answerOf(success)];
      return [`\`${attack}\``, probe, `\`${variant}\``, ...told, String(countTries(findings, attack, probe))];
    }),
  );
  const head = ['attack', 'probe', 'weak variant', 'what succeeded', 'the answer', 'tries at full strength'];
  return renderTable(head, rows.toSorted(compareRows));
}

/** Counts the tries of a probe in all modes at full strength. */
function countTries(findings: readonly Finding[], attack: string, probe: string): number {
  const strong = findings.filter(finding => finding.attack === attack && finding.variant === undefined);
  return strong.reduce((sum, { result }) => sum + ('probes' in result ? (result.probes[probe]?.tries ?? 0) : 0), 0);
}

function compareRows(one: readonly string[], other: readonly string[]): number {
  const [a, b] = [one, other].map(row => row.slice(0, 3).join());
  return (a ?? '').localeCompare(b ?? '', 'en');
}

const charsShown = 70;

/** Returns the status and the decisive part of the first answer. */
function answerOf({ exchanges: [first] }: Success): string {
  if (first === undefined) return '';
  const [status = ''] = first.response;
  const shown = maskChance(first.decisive ?? first.body);
  const cut = shown.length > charsShown ? `${shown.slice(0, charsShown)}…` : shown;
  return `${status.replace('HTTP/1.1 ', '')}${cut === '' ? '' : ` \`${cut}\``}`;
}

/** Returns the parts of a row that are the same in every run: attack, probe, weak variant and status. Which try is the
 * first to succeed depends on the order of concurrent requests. */
export function readStableCells(row: string): string {
  const [, attack, probe, variant, , answer = ''] = row.split(/(?<!\\)\|/);
  return [attack, probe, variant, /^ [^`]*/.exec(answer)?.[0]].join('|').trimEnd();
}

/** Replaces what chance, the clock or the order of attacks decided. */
function maskChance(text: string): string {
  return text
    .replaceAll(/,"backend":"backend-\d+".*/g, ',…}')
    .replaceAll(/user-\w+/g, 'user-N')
    .replaceAll(/backend-\d+/g, 'backend-N')
    .replaceAll(/127\.0\.0\.1(%3A|:)\d+/g, '127.0.0.1:PORT')
    .replaceAll(/[\w-]*(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{12,}/g, '…')
    .replaceAll(/\d{2,}/g, 'N');
}
