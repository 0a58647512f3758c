import { modeNames } from '../modes.js';
import type { Attack } from './attack.js';
import type { Finding } from './finding.js';
import { type WeakVariantName, weakVariants } from './weak-variants.js';

type Attacks = Readonly<Record<string, Attack>>;

/** Renders the findings as Markdown: requirement -> attack -> result per mode, then the result in each weak variant.
 * Pure: the same findings give the same text. */
export function renderEvidence(attacks: Attacks, findings: readonly Finding[]): string {
  const modes = modeNames.filter(mode => findings.some(finding => finding.mode === mode));
  const rows = requirementsOf(attacks).flatMap(([id, names]) =>
    names.map(name => [id, `\`${name}\``, ...modes.map(mode => strongCell(findings, name, mode))]),
  );
  const weak = findings
    .filter(({ variant }) => variant !== undefined)
    .map(finding => [
      `\`${finding.variant}\``,
      `\`${finding.mode}\``,
      summaryOf(finding),
      `\`${finding.attack}\``,
      weakCell(finding),
    ]);
  return [
    '# Evidence',
    '',
    'Written by `holdfast attack --markdown`. Requirements are those of OWASP ASVS 5.0.0, unless another source is',
    'named. Each attack uses HTTP, through the proxy and directly to the backends, with the knowledge of an outsider.',
    "An attack that needs a well-signed token with wrong content also has the shop's key. In brackets: its tries.",
    '',
    ...tableOf(['requirement', 'attack', ...modes.map(mode => `\`${mode}\``)], rows),
    '',
    '## What each attack does',
    '',
    ...tableOf(
      ['attack', 'what it does'],
      namesOf(findings).map(name => [`\`${name}\``, attacks[name]?.title ?? '']),
    ),
    '',
    '## Seen to succeed',
    '',
    'An attack that cannot succeed proves nothing, so each attack also runs on a system with a planted weakness.',
    '',
    ...tableOf(['weak variant', 'mode', 'what is wrong with it', 'attack', 'result'], weak),
    ...reasonsOf(findings),
    '',
  ].join('\n');
}

/** Groups the attacks by requirement, in the order of the ASVS numbers; other requirements come last. */
function requirementsOf(attacks: Attacks): [string, string[]][] {
  const byId = new Map<string, string[]>();
  for (const [name, { asvs }] of Object.entries(attacks)) {
    for (const id of asvs.length === 0 ? ['–'] : asvs) byId.set(id, [...(byId.get(id) ?? []), name]);
  }
  return [...byId].sort(([a], [b]) => compareIds(a, b));
}

function compareIds(a: string, b: string): number {
  const isNumber = (id: string) => /^\d/.test(id);
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  return a.localeCompare(b, 'en', { numeric: true });
}

function strongCell(findings: readonly Finding[], attack: string, mode: string): string {
  const found = findings.find(each => each.attack === attack && each.mode === mode && each.variant === undefined);
  return found === undefined ? 'not run' : cell(found);
}

function cell({ result }: Finding): string {
  if (result.outcome === 'not applicable') return 'n/a';
  if (result.outcome === 'inconclusive') return '**inconclusive**';
  return result.outcome === 'resisted' ? `resisted (${result.tries})` : '**SUCCEEDED**';
}

function weakCell({ result }: Finding): string {
  return result.outcome === 'succeeded' ? `succeeded: ${escapeCell(result.reason)}` : `**${result.outcome}**`;
}

function summaryOf({ variant }: Finding): string {
  return variant === undefined ? '' : escapeCell(weakVariants[variant satisfies WeakVariantName].summary);
}

function namesOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ attack }) => attack))];
}

/** Lists why attacks were not applicable or inconclusive, each reason once. */
function reasonsOf(findings: readonly Finding[]): string[] {
  return (['not applicable', 'inconclusive'] as const).flatMap(outcome => {
    const lines = findings.flatMap(({ attack, mode, variant, result }) =>
      result.outcome === outcome ? [{ reason: result.reason, attack, place: variant ?? mode }] : [],
    );
    const reasons = [...new Set(lines.map(({ reason }) => reason))].map(reason => {
      const same = lines.filter(line => line.reason === reason);
      return `- ${quoteNames(same.map(({ attack }) => attack))} in ${quoteNames(same.map(({ place }) => place))}: ${reason}`;
    });
    return reasons.length === 0 ? [] : ['', `## ${titles[outcome]}`, '', ...reasons];
  });
}

const titles = { 'not applicable': 'Not applicable', inconclusive: 'Inconclusive' };

function quoteNames(names: readonly string[]): string {
  return [...new Set(names)].map(name => `\`${name}\``).join(', ');
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)];
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}
