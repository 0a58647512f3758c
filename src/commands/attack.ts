import type { CommandModule } from 'yargs';
import { attackJson } from '../attacks/attack-json.js';
import { attacks } from '../attacks/attacks/registry.js';
import { evidence } from '../attacks/evidence.js';
import { judgeAll } from '../attacks/finding.js';
import { type PlannedSystem, planSystems } from '../attacks/plan.js';
import { runAttacks } from '../attacks/run-attacks.js';
import { startSystem } from '../attacks/start-system.js';
import { modeNames } from '../modes.js';
import { showAttacks } from './attack-progress.js';
import { attackReport } from './attack-report.js';
import { exitCodeOf, exiting } from './exit.js';
import { interruptible } from './interrupt.js';
import { parseModes } from './mode-option.js';
import { checkOutputs, writeWhole } from './output.js';
import { parseKey } from './registry-option.js';
import { columnsOf, wantsColour } from './streams.js';

interface AttackArgs {
  readonly mode: readonly string[] | undefined;
  readonly attack: readonly string[] | undefined;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
}

export const attack: CommandModule<object, AttackArgs> = {
  command: 'attack',
  describe: 'attack the sessions of each mode; each attack must fail, and succeed against a system made weak for it',
  builder: yargs =>
    yargs
      .option('mode', {
        type: 'string',
        array: true,
        defaultDescription: 'all',
        requiresArg: true,
        describe: 'modes, a,b',
      })
      .option('attack', { type: 'string', array: true, requiresArg: true, describe: 'only these attacks, a,b' })
      .option('json', { type: 'string', requiresArg: true, describe: 'write what was found as JSON (schema 1)' })
      .option('markdown', { type: 'string', requiresArg: true, describe: 'write the evidence, ASVS id by ASVS id' })
      .epilogue(`Attacks: ${Object.keys(attacks).join(', ')}`)
      .epilogue('It always starts store servers of its own: it fills them, and ends the sessions of everyone.')
      .example('$0 attack', 'every attack on every mode, and on the weak variants')
      .example('$0 attack --mode redis --attack reuse-after-logout', 'one attack on one mode'),
  handler: exiting(args =>
    interruptible(signal => attackAll(args, signal), 'stopping: ending every process (Ctrl-C again: at once)'),
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
  if (args.markdown !== undefined) await writeWhole(args.markdown, evidence(chosen, findings));
  return exitCodeOf(judgeAll(findings));
}

function parseAttacks(given: readonly string[] | undefined): typeof attacks {
  const names = given?.flatMap(text => text.split(',').map(name => name.trim())) ?? Object.keys(attacks);
  const known = new Set(names.map(name => parseKey('attack', name, attacks)));
  return Object.fromEntries(Object.entries(attacks).filter(([name]) => known.has(name)));
}
