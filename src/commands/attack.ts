import type { CommandModule } from 'yargs';
import { attacks } from '../attacks/attacks/registry.js';
import { renderEvidence } from '../attacks/evidence.js';
import { attackJson, type Finding, judge, judgeAll } from '../attacks/finding.js';
import { appAttacks } from '../attacks/own-app/attacks/registry.js';
import { type PlannedSystem, planSystems } from '../attacks/plan.js';
import { runAttacks } from '../attacks/run-attacks.js';
import { startSystem } from '../attacks/start-system.js';
import { modeNames } from '../modes.js';
import { writeWhole } from '../shared/result-files.js';
import { attackApp } from './attack-app.js';
import { attackReport } from './attack-report.js';
import { exitCodeOf, toHandler } from './lib/exit.js';
import { runInterruptibly } from './lib/interrupt.js';
import { bar, drawLine, isLive } from './lib/live-line.js';
import { parseKey, parseModes } from './lib/mode-option.js';
import { checkOutputs } from './lib/output.js';
import { columnsOf, wantsColour } from './lib/streams.js';

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
  const report = attackReport(chosen, findings, { colour: wantsColour(stdout), columns: columnsOf(stdout) });
  stdout.write(`${report}\n`);
  if (args.json !== undefined) await writeWhole(args.json, attackJson(chosen, findings));
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
  const said = findings === undefined ? `${length} ${length === 1 ? 'attack' : 'attacks'}` : saidOf(findings);
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
      if (wrongIn(findings) > 0) process.stderr.write(`${name}: ${saidOf(findings)}\n`);
    }
    drawLine(`attacks ${bar(done / systems)} ${done} of ${systems} systems · ${[...running].join(' · ')}`);
  };
  return { show, end: () => drawLine('') };
}

function nameOf({ mode, variantName, shortLimits }: PlannedSystem): string {
  return [mode, variantName, shortLimits ? 'short limits' : undefined].filter(Boolean).join(', ');
}

function saidOf(findings: readonly Finding[]): string {
  const wrong = wrongIn(findings);
  return wrong === 0 ? 'ok' : `${wrong} not ok`;
}

function wrongIn(findings: readonly Finding[]): number {
  return findings.filter(finding => judge(finding) !== 'pass').length;
}
