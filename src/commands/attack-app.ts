import { AppUnderAttack } from '../attacks/own-app/app.js';
import { type AppAttack, renderAppAttackJson, runAppAttacks } from '../attacks/own-app/app-attack.js';
import { appAttacks } from '../attacks/own-app/attacks/registry.js';
import { maskText } from '../attacks/own-app/masked-exchange.js';
import { commandLine } from '../shared/package.js';
import { writeWhole } from '../shared/result-files.js';
import type { Cluster } from '../simulator/cluster/cluster.js';
import { startCluster } from '../simulator/cluster/start-cluster.js';
import { userName } from '../simulator/plan/plan.js';
import { readScenario } from '../simulator/scenario/file.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { appAttackReport, judgeAppFindings } from './app-attack-report.js';
import { UsageError } from './lib/errors.js';
import { exitCodeOf } from './lib/exit.js';
import { drawLine, isLive } from './lib/live-line.js';
import { parseKey } from './lib/mode-option.js';
import { oneBackend } from './lib/one-backend.js';
import { checkOutputs } from './lib/output.js';
import { findScenario } from './lib/scenario-names.js';
import { columnsOf, wantsColour } from './lib/streams.js';

/** The time limit of the whole command, the start of the app included. */
const commandWithinMs = 60_000;
const endWithinMs = 100;
const linesShown = 6;

export interface AppAttackArgs {
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
    const report = appAttackReport(chosen, findings, { colour: wantsColour(stdout), columns: columnsOf(stdout) });
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
