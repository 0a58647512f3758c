import pc from 'picocolors';
import type { CommandModule } from 'yargs';
import type { Attack } from '../attacks/attack.js';
import { attacks } from '../attacks/attacks/registry.js';
import { renderEvidence } from '../attacks/evidence.js';
import {
  type Finding,
  type FindingWord,
  judge,
  judgeAll,
  probesThatFailed,
  renderAttackJson,
} from '../attacks/finding.js';
import { appAttacks } from '../attacks/own-app/attacks/registry.js';
import { type PlannedSystem, planSystems, runAttacks, weakModesOf } from '../attacks/run-attacks.js';
import { startSystem } from '../attacks/start-system.js';
import type { AttackExchange } from '../attacks/tools/browser.js';
import { weakVariants } from '../attacks/weak-variants.js';
import { modeNames } from '../modes.js';
import { fitTable } from '../report/fitted-table.js';
import { writeWhole } from '../shared/result-files.js';
import { worstOf } from '../shared/worst-verdict.js';
import { attackApp } from './attack-app.js';
import { exitCodeOf, runInterruptibly, toHandler } from './lib/exit.js';
import { parseKey, parseModes } from './lib/flags.js';
import { checkOutputs } from './lib/output.js';
import { bar, columnsOf, drawLine, isLive, wantsColour } from './lib/streams.js';

interface AttackArgs {
  readonly app: string | undefined;
  readonly mode: readonly string[] | undefined;
  readonly attack: readonly string[] | undefined;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
}

export const attack: CommandModule<object, AttackArgs> = {
  command: 'attack',
  describe:
    'attack the sessions of each mode, or of your own app; every attack must fail, and succeed on a planted weakness',
  builder: yargs =>
    yargs
      .option('app', {
        type: 'string',
        requiresArg: true,
        describe: 'a scenario file (YAML): attack the app that it starts or names, for at most 60 s',
      })
      .option('mode', {
        type: 'string',
        array: true,
        defaultDescription: 'all',
        requiresArg: true,
        describe: 'modes, a,b',
      })
      .option('attack', { type: 'string', array: true, requiresArg: true, describe: 'only these attacks, a,b' })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the findings as JSON (schema 1)' })
      .option('markdown', { type: 'string', requiresArg: true, describe: 'write the evidence per ASVS requirement' })
      .epilogue(`Attacks: ${Object.keys(attacks).join(', ')}`)
      .epilogue(`Attacks with --app: ${Object.keys(appAttacks).join(', ')}`)
      .epilogue('Exit codes: 0 none succeeded, 1 one succeeded, 2 one is unknown, 3 bad input, 4 the app did not start')
      .epilogue('It always starts its own store servers, because the attacks fill them and end all sessions in them.')
      .example('$0 attack', 'every attack on every mode and on the weak variants')
      .example('$0 attack --mode redis --attack reuse-after-logout', 'one attack on one mode')
      .example('$0 attack --app holdfast.yaml', 'every attack on your own app, by the journey of this file')
      .example('$0 attack --app holdfast.yaml --attack fixation,logout-race --json found.json', 'two of them'),
  handler: toHandler(args =>
    runInterruptibly(
      signal => (args.app === undefined ? attackAll(args, signal) : attackApp({ ...args, app: args.app }, signal)),
      'stopping: ending every process (Ctrl-C again: at once)',
    ),
  ),
};

async function attackAll(args: AttackArgs, signal: AbortSignal): Promise<number> {
  const modes = parseModes(args.mode ?? modeNames);
  const chosen = parseAttacks(args.attack);
  await checkOutputs({ json: args.json, markdown: args.markdown }, undefined, ['attack']);
  const systems = planSystems(modes, chosen);
  const progress = showAttacks(systems.length);
  const start = (system: PlannedSystem) => startSystem(system, signal);
  const run = runAttacks({ attacks: chosen, systems, start, signal, onProgress: progress.show });
  const findings = await run.finally(progress.end);
  const { stdout } = process;
  const report = renderAttackReport(chosen, findings, { colour: wantsColour(stdout), columns: columnsOf(stdout) });
  stdout.write(`${report}\n`);
  if (args.json !== undefined) await writeWhole(args.json, renderAttackJson(chosen, findings));
  if (args.markdown !== undefined) await writeWhole(args.markdown, renderEvidence(chosen, findings));
  return exitCodeOf(judgeAll(findings));
}

function parseAttacks(given: readonly string[] | undefined): typeof attacks {
  const names = given?.flatMap(text => text.split(',').map(name => name.trim())) ?? Object.keys(attacks);
  const known = new Set(names.map(name => parseKey('attack', name, attacks)));
  return Object.fromEntries(Object.entries(attacks).filter(([name]) => known.has(name)));
}

/** Shows the progress on stderr: one live line on a terminal, two plain lines per system elsewhere. */
interface AttackProgress {
  readonly show: (system: PlannedSystem, findings: readonly Finding[] | undefined) => void;
  readonly end: () => void;
}

function showAttacks(systems: number): AttackProgress {
  return isLive() ? liveLine(systems) : { show: plainLine, end: () => {} };
}

function plainLine(system: PlannedSystem, findings: readonly Finding[] | undefined): void {
  const { length } = system.attacks;
  const said = findings === undefined ? `${length} ${length === 1 ? 'attack' : 'attacks'}` : describeFindings(findings);
  process.stderr.write(`${nameOf(system)}: ${said}\n`);
}

/** Draws the live line. Systems with problems get a line of their own that stays on the screen. */
function liveLine(systems: number): AttackProgress {
  const running = new Set<string>();
  let done = 0;
  const show: AttackProgress['show'] = (system, findings) => {
    const name = nameOf(system);
    if (findings === undefined) running.add(name);
    else {
      running.delete(name);
      done += 1;
      drawLine('');
      if (countWrong(findings) > 0) process.stderr.write(`${name}: ${describeFindings(findings)}\n`);
    }
    drawLine(`attacks ${bar(done / systems)} ${done} of ${systems} systems · ${[...running].join(' · ')}`);
  };
  return { show, end: () => drawLine('') };
}

function nameOf({ mode, variantName, shortLimits }: PlannedSystem): string {
  return [mode, variantName, shortLimits ? 'short limits' : undefined].filter(Boolean).join(', ');
}

function describeFindings(findings: readonly Finding[]): string {
  const wrong = countWrong(findings);
  return wrong === 0 ? 'ok' : `${wrong} not ok`;
}

function countWrong(findings: readonly Finding[]): number {
  return findings.filter(finding => judge(finding) !== 'pass').length;
}

type Colours = ReturnType<typeof pc.createColors>;
type Attacks = Readonly<Record<string, Attack>>;

/** Renders the findings for a terminal: the table attack × mode, the weak variants, reasons, proofs and a summary. */
export function renderAttackReport(
  attacks: Attacks,
  findings: readonly Finding[],
  { colour, columns }: { readonly colour: boolean; readonly columns: number },
): string {
  const colours = pc.createColors(colour);
  const strong = findings.filter(({ variant }) => variant === undefined);
  const weak = findings.filter(({ variant }) => variant !== undefined);
  return [
    renderTable(attacks, strong, colours, columns),
    ...listWeakVariants(weak, colours),
    ...listStatistical(attacks, strong),
    ...listUnseen(attacks, findings),
    ...listLags(strong),
    ...listReasons(findings),
    ...listProofs(strong, colours),
    '',
    summarize(strong, weak, colours),
  ].join('\n');
}

function renderTable(attacks: Attacks, findings: readonly Finding[], colours: Colours, columns: number): string {
  const modes = [...new Set(findings.map(({ mode }) => mode))];
  const head = ['attack', ...modes].map(title => colours.bold(title));
  const rows = [...new Set(findings.map(finding => finding.attack))].map(attack => {
    const cells = modes.map(mode => findings.find(each => each.attack === attack && each.mode === mode));
    return [attack, ...cells.map(cell => (cell === undefined ? '' : renderCell(cell, attacks[attack], colours)))];
  });
  return fitTable({ head, rows, aligns: head.map(() => 'left') }, columns);
}

function renderCell(finding: Finding, attack: Attack | undefined, colours: Colours): string {
  const { outcome } = finding.result;
  if (outcome === 'not applicable') return colours.dim('n/a');
  if (outcome === 'known limit') return colours.yellow(outcome);
  const resisted = attack?.statistical === true ? 'no flaw found' : 'resisted';
  const said = { resisted, succeeded: 'SUCCEEDED', inconclusive: 'inconclusive' };
  return paint(judge(finding), colours)(said[outcome]);
}

function paint(word: FindingWord, colours: Colours): (text: string) => string {
  return { pass: colours.green, fail: colours.red, inconclusive: colours.yellow }[word];
}

function listWeakVariants(findings: readonly Finding[], colours: Colours): string[] {
  return [...new Set(findings.map(({ variant }) => variant))].flatMap(variant => {
    if (variant === undefined) return [];
    const mine = findings.filter(finding => finding.variant === variant);
    const fell = mine.filter(finding => judge(finding) === 'pass').map(({ attack }) => attack);
    const stood = mine.filter(finding => judge(finding) !== 'pass').map(finding => colours.red(describeStand(finding)));
    const { mode, summary } = weakVariants[variant];
    const falls = fell.length === 0 ? [] : [`falls to ${fell.join(', ')}`];
    return [`weak: ${mode}, ${variant} (${summary}): ${[...falls, ...stood].join('; ')}`];
  });
}

function describeStand(finding: Finding): string {
  const probes = probesThatFailed(finding).map(name => `"${name}"`);
  return `does not fall to ${finding.attack}, ${probes.join(', ')} (${finding.result.outcome})`;
}

/** Says what a statistical test cannot show. */
function listStatistical(attacks: Attacks, findings: readonly Finding[]): string[] {
  const names = Object.keys(attacks).filter(name => attacks[name]?.statistical === true);
  const isRun = findings.some(({ attack }) => names.includes(attack));
  return isRun
    ? [`statistical: ${names.join(', ')}: it can find a flaw, and cannot show that ids come from a CSPRNG`]
    : [];
}

/** Lists the attacks that ran on no weak variant, because of `--mode`. A mode that resists such an attack proves less. */
function listUnseen(attacks: Attacks, findings: readonly Finding[]): string[] {
  const run = new Set(findings.map(({ attack }) => attack));
  const seen = new Set(findings.filter(({ variant }) => variant !== undefined).map(({ attack }) => attack));
  const unseen = Object.entries(attacks).filter(([name]) => run.has(name) && !seen.has(name));
  return groupLines(
    unseen.map(([name, attack]) => [weakModesOf(attack).join(','), name]),
    (modes, names) => `not run on a weak variant (add --mode ${modes}): ${names}`,
  );
}

function listLags(findings: readonly Finding[]): string[] {
  const modes = [...new Set(findings.map(({ mode }) => mode))];
  return modes.flatMap(mode => {
    const lags = findings.flatMap(finding =>
      finding.mode === mode && finding.result.outcome === 'resisted' ? (finding.result.lagMs ?? []) : [],
    );
    return lags.length === 0 ? [] : [`${mode}: ended sessions were still accepted for at most ${Math.max(...lags)} ms`];
  });
}

function listReasons(findings: readonly Finding[]): string[] {
  const why = findings.flatMap(({ attack, mode, variant, result }) => {
    const { outcome } = result;
    if (outcome !== 'not applicable' && outcome !== 'inconclusive' && outcome !== 'known limit') return [];
    return { attack, place: [mode, variant].filter(Boolean).join('/'), said: `${result.outcome}: ${result.reason}` };
  });
  const lines = why.map(({ attack, said }): [string, string] => {
    const same = why.filter(other => other.attack === attack && other.said === said);
    return [`${same.map(({ place }) => place).join(', ')}: ${said}`, attack];
  });
  return groupLines(lines, (line, names) => `${line} (${names})`);
}

/** Returns one line per key, in the order in which the keys first appear. */
function groupLines(
  pairs: readonly (readonly [string, string])[],
  say: (key: string, values: string) => string,
): string[] {
  const byKey = new Map<string, Set<string>>();
  for (const [key, value] of pairs) byKey.set(key, (byKey.get(key) ?? new Set()).add(value));
  return [...byKey].map(([key, values]) => say(key, [...values].join(', ')));
}

/** Lists the proofs of successes at full strength. The proofs on weak variants are in the JSON. */
function listProofs(findings: readonly Finding[], colours: Colours): string[] {
  return findings.flatMap(({ attack, mode, result }) =>
    result.outcome === 'succeeded'
      ? [colours.red(`\nSUCCEEDED: ${attack} in ${mode}: ${result.reason}`), ...result.exchanges.flatMap(renderProof)]
      : [],
  );
}

function renderProof({ request, response, body }: AttackExchange): string[] {
  return [...request.map(line => `  > ${line}`), ...response.map(line => `  < ${line}`), `  < ${body}`, ''];
}

/** Returns the summary line: the verdict behind the exit code, with its figures. */
function summarize(strong: readonly Finding[], weak: readonly Finding[], colours: Colours): string {
  const count = (findings: readonly Finding[], outcome: Finding['result']['outcome']) =>
    findings.filter(({ result }) => result.outcome === outcome).length;
  const unclear = count([...strong, ...weak], 'inconclusive');
  const limits = count(strong, 'known limit');
  const wanted = sumOf(weak.map(({ mustSucceed }) => mustSucceed.length));
  const missed = sumOf(weak.map(finding => probesThatFailed(finding).length));
  const said = [
    `at full strength ${count(strong, 'succeeded')} succeeded, ${count(strong, 'resisted')} resisted`,
    `${count(strong, 'not applicable')} not applicable`,
    ...(limits === 0 ? [] : [`${limits} known ${limits === 1 ? 'limit' : 'limits'}`]),
    `on weak variants ${wanted - missed} of ${wanted} probes succeeded (all must)`,
    ...(unclear === 0 ? [] : [`${unclear} inconclusive`]),
  ];
  const verdict = worstOf(judgeAll([...strong, ...weak]));
  return paint(verdict, colours)(`${verdict}: ${said.join('; ')}`);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
