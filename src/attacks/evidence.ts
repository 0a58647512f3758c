import { type ModeName, modeNames } from '../modes.js';
import type { Attack, Success } from './attack.js';
import type { Finding } from './finding.js';
import { appliesTo, noSelfContainedToken } from './finding.js';
import { weakVariantNames, weakVariants } from './weak-variants.js';

type Attacks = Readonly<Record<string, Attack>>;

/** Renders the findings as Markdown: requirement -> attack -> result per mode, then each probe with the answer in which
 * it succeeded. Pure: the same findings give the same text. */
export function renderEvidence(attacks: Attacks, findings: readonly Finding[]): string {
  const modes = modeNames.filter(mode => findings.some(finding => finding.mode === mode));
  const rows = requirementsOf(attacks).flatMap(([id, names]) =>
    names.map(name => [id, `\`${name}\``, ...modes.map(mode => describeStrength(attacks, findings, name, mode, id))]),
  );
  return [
    '# Evidence',
    '',
    'Written by `holdfast attack --markdown`. Requirements are those of OWASP ASVS 5.0.0, unless another source is',
    'named. Each attack uses HTTP, through the proxy and directly to the backends, with the knowledge of an outsider.',
    "An attack that needs a well-signed token with wrong content also has the shop's key. In brackets: its tries.",
    'A statistical test says "no flaw found": it can find a flaw, and cannot show that there is none. Its tries are tests',
    'of one sample.',
    '',
    ...renderTable(['requirement', 'attack', ...modes.map(mode => `\`${mode}\``)], rows),
    '',
    '## What each attack does',
    '',
    ...renderTable(
      ['attack', 'what it does'],
      namesOf(findings).map(name => [`\`${name}\``, attacks[name]?.title ?? '']),
    ),
    ...reasonsOf(attacks, findings),
    '',
    seenHeading,
    '',
    'An attack is made of probes: kinds of tries. A probe that cannot succeed proves nothing. So each probe also runs on',
    'a system with a planted weakness, where it must succeed. N and … stand for what differs from run to run. The last',
    'column counts the tries of the probe at full strength, in all modes together.',
    '',
    ...renderSuccesses(findings),
    '',
    '### The weak variants',
    '',
    ...renderTable(['weak variant', 'mode', 'what is wrong with it'], listWeakRows(findings)),
    '',
  ].join('\n');
}

/** The heading of the table of probes. */
export const seenHeading = '## Seen to succeed';

function listWeakRows(findings: readonly Finding[]): readonly (readonly string[])[] {
  const names = new Set(findings.flatMap(({ variant }) => variant ?? []));
  return weakVariantNames
    .filter(name => names.has(name))
    .map(name => [`\`${name}\``, `\`${weakVariants[name].mode}\``, weakVariants[name].summary]);
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

function describeStrength(
  attacks: Attacks,
  findings: readonly Finding[],
  attack: string,
  mode: ModeName,
  requirement: string,
): string {
  const found = findings.find(each => each.attack === attack && each.mode === mode && each.variant === undefined);
  if (!appliesTo(requirement, mode)) return 'n/a';
  return found === undefined ? 'not run' : describeResult(found, attacks);
}

function describeResult({ attack, result }: Finding, attacks: Attacks): string {
  if (result.outcome === 'not applicable') return 'n/a';
  if (result.outcome === 'inconclusive') return '**inconclusive**';
  if (result.outcome === 'known limit') return 'known limit';
  const word = attacks[attack]?.statistical === true ? 'no flaw found' : 'resisted';
  return result.outcome === 'resisted' ? `${word} (${result.tries})` : '**SUCCEEDED**';
}

function namesOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ attack }) => attack))];
}

/** Lists why attacks were not applicable or inconclusive, each reason once. */
function reasonsOf(attacks: Attacks, findings: readonly Finding[]): string[] {
  return (['known limit', 'not applicable', 'inconclusive'] as const).flatMap(outcome => {
    const lines = findings.flatMap(({ attack, mode, variant, result }) =>
      result.outcome === outcome ? [{ reason: result.reason, attack, place: variant ?? mode }] : [],
    );
    if (outcome === 'not applicable') lines.push(...listOutside(attacks, findings));
    const reasons = [...new Set(lines.map(({ reason }) => reason))].map(reason => {
      const same = lines.filter(line => line.reason === reason);
      return `- ${quoteNames(same.map(({ attack }) => attack))} in ${quoteNames(same.map(({ place }) => place))}: ${reason}`;
    });
    return reasons.length === 0 ? [] : ['', `## ${titles[outcome]}`, '', ...reasons];
  });
}

/** Lists the requirements of attacks that ran in modes to which these requirements do not apply. */
function listOutside(attacks: Attacks, findings: readonly Finding[]) {
  return findings.flatMap(({ attack, mode, variant, result }) => {
    if (variant !== undefined || result.outcome === 'not applicable') return [];
    const ids = attacks[attack]?.asvs.filter(id => !appliesTo(id, mode)) ?? [];
    return ids.map(id => ({ reason: `${id}: ${noSelfContainedToken}`, attack, place: mode }));
  });
}

const titles = { 'known limit': 'Known limits', 'not applicable': 'Not applicable', inconclusive: 'Inconclusive' };

function quoteNames(names: readonly string[]): string {
  return [...new Set(names)].map(name => `\`${name}\``).join(', ');
}

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

/** Renders a table. Cells may hold any text. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)];
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}
