import type { CommandModule } from 'yargs';
import { attackJson } from '../attacks/attack-json.js';
import { attacks } from '../attacks/attacks/registry.js';
import { evidence } from '../attacks/evidence.js';
import { type Finding, judge, judgeAll } from '../attacks/finding.js';
import { type PlannedSystem, planSystems } from '../attacks/plan.js';
import { runAttacks } from '../attacks/run-attacks.js';
import { startSystem } from '../attacks/start-system.js';
import { modeNames } from '../modes.js';
import { attackReport } from './attack-report.js';
import { exitCodeOf, exiting } from './exit.js';
import { interruptible } from './interrupt.js';
import { parseModes } from './mode-option.js';
import { checkOutputs, writeWhole } from './output.js';
import { parseKey } from './registry-option.js';
import { parseStoreUrls, type StoreArgs, storeOptions } from './store-options.js';
import { wantsColour } from './streams.js';

interface AttackArgs extends StoreArgs {
  readonly mode: readonly string[];
  readonly attack: readonly string[] | undefined;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
}

export const attack: CommandModule<object, AttackArgs> = {
  command: 'attack',
  describe: 'attack the sessions of each mode; each attack must fail, and succeed against a system made weak for it',
  builder: yargs =>
    storeOptions(yargs)
      .option('mode', { type: 'string', array: true, default: modeNames, requiresArg: true, describe: 'modes, a,b' })
      .option('attack', { type: 'string', array: true, requiresArg: true, describe: 'only these attacks, a,b' })
      .option('json', { type: 'string', requiresArg: true, describe: 'write what was found as JSON (schema 1)' })
      .option('markdown', { type: 'string', requiresArg: true, describe: 'write the evidence, ASVS id by ASVS id' })
      .epilogue(`Attacks: ${Object.keys(attacks).join(', ')}`)
      .example('$0 attack', 'every attack on every mode, and on the weak variants')
      .example('$0 attack --mode redis --attack reuse-after-logout', 'one attack on one mode'),
  handler: exiting(args =>
    interruptible(signal => attackAll(args, signal), 'stopping: ending every process (Ctrl-C again: at once)'),
  ),
};

async function attackAll(args: AttackArgs, signal: AbortSignal): Promise<number> {
  const modes = parseModes(args.mode);
  const chosen = parseAttacks(args.attack);
  const storeUrls = parseStoreUrls(args);
  await checkOutputs({ json: args.json, markdown: args.markdown }, undefined, ['attack']);
  const findings = await runAttacks({
    attacks: chosen,
    systems: planSystems(modes, chosen),
    start: system => startSystem(system, storeUrls, signal),
    signal,
    onProgress,
  });
  process.stdout.write(`${attackReport(chosen, findings, wantsColour(process.stdout))}\n`);
  if (args.json !== undefined) await writeWhole(args.json, attackJson(chosen, findings));
  if (args.markdown !== undefined) await writeWhole(args.markdown, evidence(chosen, findings));
  return exitCodeOf(judgeAll(findings));
}

function parseAttacks(given: readonly string[] | undefined): typeof attacks {
  const names = given?.flatMap(text => text.split(',').map(name => name.trim())) ?? Object.keys(attacks);
  const known = new Set(names.map(name => parseKey('attack', name, attacks)));
  return Object.fromEntries(Object.entries(attacks).filter(([name]) => known.has(name)));
}

function onProgress({ mode, variantName, shortLimits, attacks }: PlannedSystem, findings?: readonly Finding[]): void {
  const name = [mode, variantName, shortLimits ? 'short limits' : undefined].filter(Boolean).join(', ');
  const wrong = findings?.filter(finding => judge(finding) !== 'pass').length ?? 0;
  const said = wrong === 0 ? 'as it should be' : `${wrong} not as it should be`;
  process.stderr.write(
    `${name}: ${findings === undefined ? `${attacks.length} ${attacks.length === 1 ? 'attack' : 'attacks'}` : said}\n`,
  );
}
