import type { Success } from './attack.js';
import type { Finding } from './finding.js';
import { renderTable } from './markdown.js';

/** Renders the table of the probes with the weak variant and the answer in which each succeeded. Two runs give the same
 * table: what differs from run to run is replaced by a letter or an ellipsis. */
export function renderSuccesses(findings: readonly Finding[]): readonly string[] {
  const rows = findings.flatMap(({ attack, variant, mustSucceed, result }) =>
    mustSucceed.map(probe => {
      const success = 'probes' in result ? result.probes[probe]?.success : undefined;
      const told =
        success === undefined ? [`**${result.outcome}**`, ''] : [maskChance(success.reason), answerOf(success)];
      return [`\`${attack}\``, probe, `\`${variant}\``, ...told];
    }),
  );
  return renderTable(['attack', 'probe', 'weak variant', 'what succeeded', 'the answer'], rows.toSorted(compareRows));
}

function compareRows(one: readonly string[], other: readonly string[]): number {
  const [a, b] = [one, other].map(row => row.slice(0, 3).join());
  return (a ?? '').localeCompare(b ?? '', 'en');
}

const bodyCharsShown = 70;

/** Returns the status and the decisive part of the first answer: its body, or else its cookies. */
function answerOf({ exchanges: [first] }: Success): string {
  if (first === undefined) return '';
  const [status = '', ...headers] = first.response;
  const cookies = headers.filter(line => /^set-cookie/i.test(line)).join(', ');
  const shown = maskChance(first.body === '' ? cookies : first.body);
  const cut = shown.length > bodyCharsShown ? `${shown.slice(0, bodyCharsShown)}…` : shown;
  return `${status.replace('HTTP/1.1 ', '')}${cut === '' ? '' : ` \`${cut}\``}`;
}

/** Replaces what chance, the clock or the order of attacks decided. */
function maskChance(text: string): string {
  return text
    .replaceAll(/user-\w+/g, 'user-N')
    .replaceAll(/backend-\d+/g, 'backend-N')
    .replaceAll(/127\.0\.0\.1(%3A|:)\d+/g, '127.0.0.1:PORT')
    .replaceAll(/[\w-]*(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{12,}/g, '…')
    .replaceAll(/\d{2,}/g, 'N');
}
