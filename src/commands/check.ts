import type { CommandModule } from 'yargs';
import { type ModeName, storesOf } from '../modes.js';
import { startCluster } from '../simulator/cluster/start-cluster.js';
import { interruptible as whileNot } from '../simulator/interruptible.js';
import { tryJourney } from '../simulator/journey-trial.js';
import { userName } from '../simulator/plan.js';
import { readPlacedScenario } from '../simulator/scenario/file.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { describeOutput, describeStep } from './check-report.js';
import { exitCodes, exiting, UsageError } from './exit.js';
import { interruptible } from './interrupt.js';
import { parseMode } from './mode-option.js';
import { wantsColour } from './streams.js';
import { describeTunnel } from './tunnel-warning.js';

interface CheckArgs {
  readonly scenario: string;
  readonly mode: string | undefined;
}

export const check: CommandModule<object, CheckArgs> = {
  command: 'check <scenario>',
  describe: 'try each step of the journey of your app once, and say what does not fit',
  builder: yargs =>
    yargs
      .positional('scenario', { type: 'string', demandOption: true, describe: 'a scenario file (YAML)' })
      .option('mode', { type: 'string', requiresArg: true, describe: 'default: the first mode of the file' })
      .example('$0 check holdfast.yaml', 'one backend is started, or what runs at system.target is asked'),
  handler: exiting(args => interruptible(signal => checkJourney(args, signal))),
};

async function checkJourney({ scenario: file, mode: asked }: CheckArgs, signal: AbortSignal): Promise<number> {
  const { scenario, placeOf } = await readPlacedScenario(file);
  const { journey, timeoutMs, cookie } = scenario.users;
  if (journey === 'shop')
    throw new UsageError(`"${file}" drives the toy shop: there is no journey of your own to check. See: holdfast init`);
  const mode = asked === undefined ? scenario.modes[0] : parseMode(asked);
  if (mode === undefined || !scenario.modes.includes(mode))
    throw new UsageError(`"${file}" says nothing of mode "${asked}"; it is written for ${scenario.modes.join(', ')}.`);
  const { target } = scenario.system;
  const warning = target === undefined ? undefined : await describeTunnel(target).catch(() => undefined);
  if (warning !== undefined) process.stdout.write(`! ${warning}\n`);
  const said: string[] = [];
  const listen = (line: string, member: string) => member.startsWith('backend') && said.push(line.slice(0, 500));
  const cluster = await startCluster(oneBackend(scenario, mode), signal, () => {}, listen);
  try {
    const steps = await whileNot(
      tryJourney(cluster.proxyUrl, journey, { user: userName(scenario.users.names, 1), timeoutMs, cookie }),
      signal,
    );
    const place = (at: readonly string[]) => placeOf(['users', 'journey', ...at]);
    for (const step of steps)
      process.stdout.write(describeStep(step, { mapping: journey, place, colour: wantsColour(process.stdout) }));
    process.stdout.write(describeOutput(said, steps, journey));
    const wrong = steps.filter(({ advice }) => advice !== undefined).length;
    process.stdout.write(closing(file, wrong));
    return wrong === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    await cluster.stop();
  }
}

/** No proxy: what does not fit is then between the mapping and the app alone. */
function oneBackend({ system }: Scenario, mode: ModeName) {
  const { target, backends } = system;
  return { mode, target, stores: storesOf(mode), storesSpec: system, backends: { ...backends, count: 1, spare: 0 } };
}

function closing(file: string, wrong: number): string {
  if (wrong === 0) return `\nthe journey fits. next: node dist/cli.js run ${file}\n`;
  return `\n${wrong === 1 ? 'one step does' : `${wrong} steps do`} not fit: mend the first one, then type the same again.\n`;
}
