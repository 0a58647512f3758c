import pc from 'picocolors';
import type { CommandModule } from 'yargs';
import { type Diagnosis, diagnose, drawFindings, type Facts, type Paint, planRepairs } from '../doctor/findings.js';
import { type InstallPlan, InstallProblem, install } from '../doctor/install.mjs';
import { look } from '../doctor/look.js';
import { commandLine } from '../shared/package.js';
import { writeWhole } from '../shared/result-files.js';
import { findToolName } from '../shared/tools.mjs';
import { unknownName } from '../shared/unknown-name.js';
import { explainNoOwnNetwork } from '../simulator/cluster/processes/own-network.js';
import { Interrupted, LabError, rejectOnAbort } from '../simulator/errors.js';
import { exitCodes, runInterruptibly, toHandler } from './lib/exit.js';
import { UsageError } from './lib/flags.js';
import { checkOutputs } from './lib/output.js';
import { columnsOf, wantsColour } from './lib/streams.js';

interface DoctorArgs {
  readonly names: readonly string[] | undefined;
  readonly install: boolean;
  readonly json: string | undefined;
}

export const doctor: CommandModule<object, DoctorArgs> = {
  command: 'doctor [names..]',
  describe: 'say which programs are installed, what does not work without the others, and what to type',
  builder: yargs =>
    yargs
      .positional('names', {
        type: 'string',
        array: true,
        describe: 'only these, such as haproxy podman; default: all',
      })
      .option('install', {
        type: 'boolean',
        default: false,
        describe: 'install what is missing with the package manager of this machine: what is needed, or the names',
      })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the findings as JSON (schema 1)' })
      .epilogue(
        'Exit code 4: something that is needed, or that was named, is missing. Nothing is installed without --install.',
      )
      .example('$0 doctor', 'what is there, and what is missing?')
      .example('$0 doctor --install', 'install what is needed, such as Redis and memcached')
      .example('$0 doctor --install haproxy podman', 'install what is optional'),
  handler: toHandler(args => runInterruptibly(signal => examine(args, signal), 'stopping')),
};

async function examine({ names = [], install: mayInstall, json }: DoctorArgs, signal: AbortSignal): Promise<number> {
  await checkOutputs({ json }, undefined, ['doctor']);
  let { facts, findings } = await lookAndDiagnose(names, signal);
  const plans = mayInstall ? planRepairs(findings.filter(isRequired), facts) : [];
  if (plans.length > 0) {
    await carryOut(plans, signal);
    ({ facts, findings } = await lookAndDiagnose(names, signal));
  }
  const required = findings.filter(isRequired);
  const bad = required.filter(({ state }) => state !== 'ok');
  process.stdout.write(`${drawFindings(findings, Math.min(columnsOf(process.stdout), 110), paint)}\n`);
  process.stdout.write(`${summarize(bad, names, planRepairs(bad, facts), mayInstall)}\n`);
  if (json !== undefined) {
    const result = { schema: 1, isReady: bad.length === 0, findings };
    await writeWhole(json, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  return bad.length === 0 ? exitCodes.ok : exitCodes.lab;

  function isRequired({ group }: Diagnosis): boolean {
    return names.length > 0 || group === 'needed';
  }
}

async function lookAndDiagnose(names: readonly string[], signal: AbortSignal) {
  const wanted = names.map(given => findToolName(given) ?? given);
  const isWanted = (finding: string) => wanted.length === 0 || wanted.includes(finding);
  const network = isWanted('network-namespace') ? explainNoOwnNetwork() : undefined;
  const [seen, noOwnNetwork] = await inTime(Promise.all([look(signal, isWanted), network]), signal);
  // Its first words say what the heading says.
  const facts: Facts = { ...seen, noOwnNetwork: noOwnNetwork?.replace(/^no packet[^:]*: /, '') };
  return { facts, findings: select(diagnose(facts), names) };
}

/** Turns the reason of an abort, which is the name of a signal, into `Interrupted`. */
async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return rejectOnAbort(work, signal).catch((error: unknown) => {
    throw signal.aborted ? new Interrupted() : error;
  });
}

function select(findings: readonly Diagnosis[], names: readonly string[]): readonly Diagnosis[] {
  const known = findings.map(({ name }) => name);
  const wanted = names.map(given => {
    const name = findToolName(given) ?? given;
    if (!known.includes(name)) throw new UsageError(unknownName('program', given, known));
    return name;
  });
  return wanted.length === 0 ? findings : findings.filter(({ name }) => wanted.includes(name));
}

async function carryOut(plans: readonly InstallPlan[], signal: AbortSignal): Promise<void> {
  const forbidden = plans.find(({ isAllowed }) => !isAllowed);
  const lines = plans.map(({ line }) => line);
  if (forbidden !== undefined) throw new LabError(`This cannot be installed from here. Type:\n  ${lines.join('\n  ')}`);
  for (const plan of plans) {
    process.stderr.write(`installing: ${plan.line}\n`);
    await install(plan, signal).catch((error: unknown) => {
      if (signal.aborted) throw new Interrupted();
      throw error instanceof InstallProblem ? new LabError(`${error.message} Type this:\n  ${error.remedy}`) : error;
    });
  }
}

/** Returns the last line: whether all is there, or what to type. */
function summarize(
  bad: readonly Diagnosis[],
  names: readonly string[],
  plans: readonly InstallPlan[],
  hasInstalled: boolean,
): string {
  const all = names.length === 0 ? 'Everything that is needed is there.' : 'Everything that you named is there.';
  if (bad.length === 0) return all;
  const lack = `Not there or not usable: ${bad.map(({ name }) => name).join(', ')}.`;
  if (plans.length === 0 || hasInstalled) return `${lack} The lines above say what to do.`;
  const isAllowed = plans.every(plan => plan.isAllowed);
  const line = isAllowed ? commandLine('doctor', '--install', ...names) : plans.map(plan => plan.line).join(' && ');
  return `${lack} Type: ${line}`;
}

const paint: Paint = (word, state, group) => {
  const { green, red, yellow } = pc.createColors(wantsColour(process.stdout));
  if (state === 'ok') return green(word);
  return group === 'needed' ? red(word) : yellow(word);
};
