import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import pc from 'picocolors';
import type { CommandModule } from 'yargs';
import { commandLine } from '../shared/package.js';
import { describeHead, type TriedExchange } from '../simulator/app-check/advice.js';
import { findSecrets, type TriedStep, tryJourney } from '../simulator/app-check/trial.js';
import { startCluster } from '../simulator/cluster/start-cluster.js';
import { rejectOnAbort } from '../simulator/errors.js';
import { userName } from '../simulator/plan/plan.js';
import { readPlacedScenario } from '../simulator/scenario/file.js';
import type { JourneyMapping } from '../simulator/scenario/journey/mapping.js';
import { findScenario, oneBackend } from './lib/asked-scenario.js';
import { exitCodes, runInterruptibly, toHandler } from './lib/exit.js';
import { parseMode, UsageError } from './lib/flags.js';
import { wantsColour } from './lib/streams.js';

interface CheckArgs {
  readonly scenario: string;
  readonly mode: string | undefined;
}

export const check: CommandModule<object, CheckArgs> = {
  command: 'check <scenario>',
  describe: 'try each step of the journey of your app once, and report each step that does not fit',
  builder: yargs =>
    yargs
      .positional('scenario', { type: 'string', demandOption: true, describe: 'a scenario file (YAML) of your app' })
      .option('mode', { type: 'string', requiresArg: true, describe: 'default: the first mode of the file' })
      .example('$0 check holdfast.yaml', 'starts one backend, or uses the app at system.target'),
  handler: toHandler(args => runInterruptibly(signal => checkJourney(args, signal))),
};

/** Tries the journey of a scenario and prints a line for each step. Returns the exit code. */
export async function checkJourney({ scenario: given, mode: asked }: CheckArgs, signal: AbortSignal): Promise<number> {
  const file = findScenario(given);
  const { scenario, placeOf } = await readPlacedScenario(file);
  const { journey, timeoutMs, cookie } = scenario.users;
  if (journey === 'shop')
    throw new UsageError(
      `"${file}" drives the toy shop: there is no journey of your own to check. To run it, type: ${commandLine('run', file)} (for an app of yours, begin with: ${commandLine('init')})`,
    );
  const mode = asked === undefined ? scenario.modes[0] : parseMode(asked);
  if (mode === undefined || !scenario.modes.includes(mode))
    throw new UsageError(`"${file}" does not name mode "${asked}"; its modes are ${scenario.modes.join(', ')}.`);
  const { target } = scenario.system;
  const warning = target === undefined ? undefined : await describeTunnel(target).catch(() => undefined);
  if (warning !== undefined) process.stdout.write(`! ${warning}\n`);
  const said: string[] = [];
  const listen = (line: string, member: string) => member.startsWith('backend') && said.push(line.slice(0, 500));
  const cluster = await startCluster(oneBackend(scenario, mode), signal, () => {}, listen);
  try {
    const steps = await rejectOnAbort(
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

function closing(file: string, wrong: number): string {
  if (wrong === 0) return `\nthe journey fits. next: ${commandLine('run', file)}\n`;
  return `\n${wrong === 1 ? 'one step does' : `${wrong} steps do`} not fit: fix the first one, then check again.\n`;
}

interface Context {
  readonly mapping: JourneyMapping;
  /** `file:line` of a part of the journey. */
  place(at: readonly string[]): string;
  readonly colour: boolean;
}

const bodyCharactersShown = 300;

/** Describes one step: a line when it fits. Otherwise also what was expected, where it is written, and the answer. */
export function describeStep(step: TriedStep, context: Context): string {
  const { green, red, yellow } = pc.createColors(context.colour);
  const { advice, note } = step;
  const mark = advice !== undefined ? red('✗') : note !== undefined ? yellow('!') : green('✓');
  const shown = (text: string): string => maskSecrets(text, context.mapping, step.exchange);
  const lines = [`${mark} ${step.what.padEnd(34)} ${shown(summarizeExchange(step.exchange))}`];
  if (note !== undefined) lines.push(`    ${note}`);
  if (advice !== undefined) {
    lines.push(`    ${shown(advice.problem)}`);
    lines.push(`    ${context.place(advice.at)}: users.journey.${advice.at.join('.')}`);
    if (advice.hint !== undefined) lines.push(`    hint: ${shown(advice.hint)}`);
    lines.push(...describeAnswer(step.exchange, shown));
  }
  return lines.map(line => `${line}\n`).join('');
}

const outputLinesShown = 10;

/** Returns the last lines that the app wrote to its standard error; empty where every step fits. */
export function describeOutput(lines: readonly string[], steps: readonly TriedStep[], mapping: JourneyMapping): string {
  if (lines.length === 0 || steps.every(({ advice }) => advice === undefined)) return '';
  const shown = steps.reduce(
    (text, { exchange }) => maskSecrets(text, mapping, exchange),
    lines.slice(-outputLinesShown).join('\n'),
  );
  return ['what the app wrote to its standard error:', ...shown.split('\n').map(line => `| ${line}`)]
    .map(line => `    ${line}\n`)
    .join('');
}

function summarizeExchange(exchange: TriedExchange | undefined): string {
  if (exchange?.request === undefined) return 'not sent';
  const { request, reply } = exchange;
  const answer = reply.status === undefined ? String(reply.error) : describeHead(reply);
  return `${request.method} ${request.path} -> ${answer}`;
}

function describeAnswer(exchange: TriedExchange | undefined, shown: (text: string) => string): string[] {
  if (exchange === undefined || exchange.reply.status === undefined) return [];
  const { reply } = exchange;
  const cookies = [reply.headers['set-cookie'] ?? []].flat().map(line => `${line.split('=')[0]}=...`);
  const body = shown(reply.body).slice(0, bodyCharactersShown).trim();
  const cut = reply.body.length > bodyCharactersShown ? ' ...' : '';
  return [
    `    what came back: ${shown(describeHead(reply))}${cookies.length === 0 ? '' : `, set-cookie: ${cookies.join(', ')}`}`,
    ...(body === '' ? ['    | (an empty body)'] : body.split(/\r?\n/).map(line => `    | ${line}`)).slice(0, 12),
    ...(cut === '' ? [] : [`    |${cut}`]),
  ];
}

/** Replaces secrets and control characters: text of the app must not show a secret or control the terminal. */
function maskSecrets(text: string, mapping: JourneyMapping, exchange: TriedExchange | undefined): string {
  const secrets = exchange === undefined ? [] : findSecrets(mapping, exchange);
  const hidden = secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it removes control characters
  return hidden.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]+/g, ' ');
}

/**
 * Returns a warning when `system.target` is a tunnel of `kubectl port-forward`. Such a tunnel leads to one pod and ends
 * with it, so every user of a run would be cut off. Undefined otherwise, and on systems without /proc.
 */
export async function describeTunnel(target: string): Promise<string | undefined> {
  const { port } = new URL(target);
  const inodes = await findListeningInodes(Number(port || 80));
  if (inodes.size === 0) return undefined;
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readCommandLine(pid);
    const what = findForward(command);
    if (what === undefined || !(await holdsSocket(pid, inodes))) continue;
    return (
      `system.target is a tunnel of "kubectl port-forward ${what}": it ends with its pod and cuts off all users.` +
      ' Forward the ingress, such as: kubectl -n ingress-nginx port-forward svc/ingress-nginx-controller 8080:80'
    );
  }
  return undefined;
}

/** Returns what a command line forwards, such as `pod/app-1 8080:80`; undefined for any other, and for an ingress. */
export function findForward(command: readonly string[]): string | undefined {
  const tool = command.findIndex(word => /^(?:kubectl|oc)$/.test(path.basename(word)));
  const verb = command.indexOf('port-forward', tool + 1);
  if (tool === -1 || verb === -1) return undefined;
  const what = command.slice(verb + 1).join(' ');
  return /ingress|gateway/i.test(what) ? undefined : what;
}

/** Finds listening sockets in /proc/net. State 0A is LISTEN; column 2 is the local address, column 10 the inode. */
async function findListeningInodes(port: number): Promise<ReadonlySet<string>> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map(file => readFile(file, 'utf8').catch(() => '')),
  );
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = tables.flatMap(table => table.split('\n').slice(1)).map(line => line.trim().split(/\s+/));
  const found = rows.filter(([, local = '', , state]) => state === '0A' && local.endsWith(suffix));
  return new Set(found.map(row => row[9] ?? ''));
}

/** Returns the words of a command line. Empty for a process that has ended or belongs to another user. */
async function readCommandLine(pid: string): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.split('\0').filter(word => word !== '');
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(files.map(file => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  return links.some(link => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? 'none'));
}
