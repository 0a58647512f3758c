import pc from 'picocolors';
import { AppUnderAttack } from '../attacks/own-app/app.js';
import { type AppAttack, type AppFinding, renderAppAttackJson, runAppAttacks } from '../attacks/own-app/app-attack.js';
import { appAttacks } from '../attacks/own-app/attacks/registry.js';
import { maskText } from '../attacks/own-app/masked-exchange.js';
import type { AttackExchange } from '../attacks/tools/browser.js';
import { fitTable, toPrintable } from '../report/fitted-table.js';
import { commandLine } from '../shared/package.js';
import { writeWhole } from '../shared/result-files.js';
import { worstOf } from '../shared/worst-verdict.js';
import type { VerdictWord } from '../simulator/checker/verdict/verdict.js';
import type { Cluster } from '../simulator/cluster/cluster.js';
import { startCluster } from '../simulator/cluster/start-cluster.js';
import { userName } from '../simulator/plan/plan.js';
import { readScenario } from '../simulator/scenario/file.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { findScenario, oneBackend } from './lib/asked-scenario.js';
import { exitCodeOf } from './lib/exit.js';
import { parseKey, UsageError } from './lib/flags.js';
import { checkOutputs } from './lib/output.js';
import { columnsOf, drawLine, isLive, wantsColour } from './lib/streams.js';

/** The time limit of the whole command, the start of the app included. */
const commandWithinMs = 60_000;
const endWithinMs = 100;
const linesShown = 6;

interface AppAttackArgs {
  readonly app: string;
  readonly attack: readonly string[] | undefined;
  readonly json: string | undefined;
  readonly mode: readonly string[] | undefined;
  readonly markdown: string | undefined;
}

/**
 * Attacks the app of a scenario file. The file says how the app is started, or where it runs, and what its users do.
 * Resolves with the exit code.
 */
export async function attackApp(args: AppAttackArgs, signal: AbortSignal): Promise<number> {
  const untilMs = performance.now() + commandWithinMs;
  refuseModeFlags(args);
  const chosen = parseAppAttacks(args.attack);
  const scenario = await readScenario(findScenario(args.app));
  const { journey } = scenario.users;
  if (journey === 'shop')
    throw new UsageError(
      `"${args.app}" drives the toy shop, which has attacks of its own. Type: ${commandLine('attack')}`,
    );
  await checkOutputs({ json: args.json }, undefined, ['attack']);
  const [mode = 'sticky'] = scenario.modes;
  const cluster = await startCluster(oneBackend(scenario, mode), signal, () => {});
  const app = new AppUnderAttack({ origin: cluster.proxyUrl, mapping: journey, ...usersOf(scenario) });
  try {
    const restart = () => restartIfEnded(cluster);
    const onAttack = showAttack;
    const findings = await runAppAttacks({ app, attacks: chosen, untilMs, signal, restartIfEnded: restart, onAttack });
    const { stdout } = process;
    const report = renderAppAttackReport(chosen, findings, { colour: wantsColour(stdout), columns: columnsOf(stdout) });
    if (isLive()) drawLine('');
    stdout.write(`${report}\n`);
    if (findings.every(({ result }) => result.outcome === 'unknown'))
      stdout.write(`next: ${commandLine('check', args.app)}     (says which step of the journey does not fit)\n`);
    if (args.json !== undefined) await writeWhole(args.json, renderAppAttackJson(args.app, chosen, findings));
    return exitCodeOf(judgeAppFindings(findings));
  } finally {
    await app.close();
    await cluster.stop();
  }
}

/** Starts the app again if it has ended. It may still be ending, so this waits a moment. */
async function restartIfEnded({ members }: Cluster): Promise<string | undefined> {
  for (const member of members.filter(({ role }) => role === 'backend')) {
    if (member.isRunning && !(await member.waitEnd(endWithinMs))) continue;
    const how = maskText(member.describe()).split('\n').slice(0, linesShown).join(' ');
    await member.start();
    return how;
  }
  return undefined;
}

/** Returns what the scenario says about its users. A list of names is used again from its start. */
function usersOf({ users }: Scenario) {
  const { names, cookie, timeoutMs } = users;
  const count = typeof names === 'object' ? names.length : Number.POSITIVE_INFINITY;
  return { userName: (number: number) => userName(names, ((number - 1) % count) + 1), cookie, timeoutMs };
}

function refuseModeFlags({ app, mode, markdown }: AppAttackArgs): void {
  if (mode !== undefined)
    throw new UsageError(
      `--app and --mode exclude each other: an app runs in the first mode that its file names. Type: ${commandLine('attack', '--app', app)}`,
    );
  if (markdown !== undefined)
    throw new UsageError(
      `--app and --markdown exclude each other: the evidence page is about the modes. Type: ${commandLine('attack', '--app', app, '--json', 'attacks.json')}`,
    );
}

function parseAppAttacks(given: readonly string[] | undefined): Readonly<Record<string, AppAttack>> {
  const names = given?.flatMap(text => text.split(',').map(name => name.trim())) ?? Object.keys(appAttacks);
  const known = new Set(names.map(name => parseKey('attack', name, appAttacks)));
  return Object.fromEntries(Object.entries(appAttacks).filter(([name]) => known.has(name)));
}

function showAttack(name: string): void {
  if (isLive()) drawLine(`attacking: ${name}`);
}

type Colours = ReturnType<typeof pc.createColors>;

/** Judges the findings that apply. If none applies there is no verdict, which is no pass. */
function judgeAppFindings(findings: readonly AppFinding[]): VerdictWord[] {
  const words = { succeeded: 'fail', resisted: 'pass', 'known limit': 'pass', unknown: 'inconclusive' } as const;
  return findings.flatMap(({ result: { outcome } }) => (outcome === 'not applicable' ? [] : [words[outcome]]));
}

/** Renders the findings for a terminal: a table, the reasons, the proofs of successes, and a summary. */
function renderAppAttackReport(
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
