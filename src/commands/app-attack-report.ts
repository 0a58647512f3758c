import pc from 'picocolors';
import type { AppAttack, AppFinding } from '../attacks/own-app/app-attack.js';
import type { AttackExchange } from '../attacks/tools/browser.js';
import { fitTable, toPrintable } from '../report/fitted-table.js';
import { worstOf } from '../shared/worst-verdict.js';
import type { VerdictWord } from '../simulator/checker/verdict/verdict.js';

type Colours = ReturnType<typeof pc.createColors>;

/** Judges the findings that apply. If none applies there is no verdict, which is no pass. */
export function judgeAppFindings(findings: readonly AppFinding[]): VerdictWord[] {
  const words = { succeeded: 'fail', resisted: 'pass', 'known limit': 'pass', unknown: 'inconclusive' } as const;
  return findings.flatMap(({ result: { outcome } }) => (outcome === 'not applicable' ? [] : [words[outcome]]));
}

/** Renders the findings for a terminal: a table, the reasons, the proofs of successes, and a summary. */
export function appAttackReport(
  attacks: Readonly<Record<string, AppAttack>>,
  findings: readonly AppFinding[],
  { colour, columns }: { readonly colour: boolean; readonly columns: number },
): string {
  const colours = pc.createColors(colour);
  const head = ['attack', 'result', 'ASVS 5.0.0'].map(title => colours.bold(title));
  const rows = findings.map(finding => [
    finding.attack,
    describeResult(finding, colours),
    attacks[finding.attack]?.asvs.join(', ') ?? '',
  ]);
  return [
    fitTable({ head, rows, aligns: head.map(() => 'left') }, columns),
    ...describeReasons(findings, attacks),
    ...findings.flatMap(finding => describeProof(finding, attacks, colours)),
    '',
    summarize(findings, colours),
  ].join('\n');
}

function describeResult({ result }: AppFinding, colours: Colours): string {
  if (result.outcome === 'succeeded') return colours.red('SUCCEEDED');
  if (result.outcome === 'unknown') return colours.yellow('unknown');
  if (result.outcome === 'not applicable') return colours.dim('n/a');
  return colours.green(`resisted (${result.tries} ${result.tries === 1 ? 'try' : 'tries'})`);
}

/** Says what was sent, why attacks do not apply or are unknown, and what a result does not show: each text once. */
function describeReasons(findings: readonly AppFinding[], attacks: Readonly<Record<string, AppAttack>>): string[] {
  const names = new Map<string, string[]>();
  for (const { attack, result } of findings) {
    if (result.outcome === 'succeeded') continue;
    const why =
      result.outcome === 'resisted' ? `sent: ${attacks[attack]?.title ?? ''}` : `${result.outcome}: ${result.reason}`;
    const note = 'note' in result && result.note !== undefined ? `; note: ${result.note}` : '';
    const text = toPrintable(why + note);
    names.set(text, [...(names.get(text) ?? []), attack]);
  }
  return [...names].map(([text, of]) => `${of.join(', ')}: ${text}`);
}

function describeProof(
  { attack, result }: AppFinding,
  attacks: Readonly<Record<string, AppAttack>>,
  colours: Colours,
): string[] {
  if (result.outcome !== 'succeeded') return [];
  const { title = '', asvs = [] } = attacks[attack] ?? {};
  return [
    colours.red(`\nSUCCEEDED: ${attack} (ASVS ${asvs.join(', ')}): ${toPrintable(result.reason)}`),
    `  sent: ${title}`,
    ...result.exchanges.flatMap(describeExchange),
  ];
}

function describeExchange({ request, response, body }: AttackExchange): string[] {
  const lines = [...request.map(line => `  > ${line}`), ...response.map(line => `  < ${line}`), `  < ${body}`];
  return [...lines.map(toPrintable), ''];
}

function summarize(findings: readonly AppFinding[], colours: Colours): string {
  const count = (wanted: AppFinding['result']['outcome']) =>
    findings.filter(({ result }) => result.outcome === wanted).length;
  const verdict = worstOf(judgeAppFindings(findings));
  const colour = { pass: colours.green, fail: colours.red, inconclusive: colours.yellow }[verdict];
  const counts = (['succeeded', 'resisted', 'not applicable', 'unknown'] as const).map(
    word => `${count(word)} ${word}`,
  );
  return colour(`${verdict}: ${counts.join(', ')}`);
}
