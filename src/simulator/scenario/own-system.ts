import path from 'node:path';
import * as z from 'zod';
import { presetFolder, presetNames } from '../../shared/package.js';
import { unknownName } from '../../shared/unknown-name.js';
import { commandPlaceholders, describeUnknownPlaceholder, ownPlaceholders } from '../cluster/backend.js';
import {
  drainPlaceholders,
  type ExternalProxy,
  proxyPlaceholders,
  readTemplate,
  startPlaceholders,
} from '../cluster/external/external-proxy.js';
import { ScenarioError } from '../errors.js';
import { duration, map, sayExpected, show, text } from './values.js';
import { field, isMap, type Problem, parseYaml, readTextFile, scenarioBytesMax, shapeProblems } from './yaml.js';

/**
 * Schema of the parts of `system` that are the user's own: the app (how to start it, or the address at which it already
 * runs), and a proxy in place of Holdfast's.
 */

/** Builds the schema of a text with placeholders. */
const textWith = (what: string, known: readonly string[]) =>
  text(what, /\S/).superRefine((written, context) => {
    const message = describeUnknownPlaceholder(written, known);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** The keys of `system.backends` that start the user's own app. */
export const ownBackendKeys = {
  command: textWith('a command such as "node server.js"', commandPlaceholders)
    .optional()
    .describe(
      'Starts your own backend instead of the toy shop, with sh -c. {port} and {name} are those of the backend. {run-dir} is a new folder that all backends share.',
    ),
  directory: text('a folder, relative to this file', /\S/)
    .optional()
    .describe('Where the command runs. Default: the folder of this file.'),
  ready: map('system.backends.ready', {
    http: text('a path such as /health', /^\/[^\s#]*$/)
      .default('/')
      .describe('A path that answers 200 to 299 without a login once the backend serves.'),
    within: duration().prefault('10s'),
  }).optional(),
};

/** Schema of `system.target`. Only loopback addresses are allowed: a server elsewhere could serve other people. */
export const target = text(
  'a loopback address such as http://127.0.0.1:8080; no other system is tested',
  /^http:\/\/(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?\/?$/,
)
  .refine(written => URL.canParse(written), {
    error: sayExpected('a loopback address such as http://127.0.0.1:8080'),
    abort: true,
  })
  .transform(written => new URL(written).origin)
  .optional()
  .describe(
    'The address of a system that already runs. Nothing is started. Faults strike its members if "members" says how; otherwise only exec can break something.',
  );

/** Schemas of the options of faults that strike such a system with commands. */
export const commandText = text('a command such as "docker kill app-1"', /\S/);
export const commandLimit = duration().prefault('10s');
export const systemTarget = text('the target "system", or none', /\S/).default('system');

/** Finds problems between parts of `system`. `labVariables`: the variables that the lab sets for a toy shop. */
export function ownAppProblems(file: unknown, labVariables: readonly string[]): Problem[] {
  const system = field(file, 'system');
  const backends = field(system, 'backends');
  if (field(system, 'target') !== undefined) return targetProblems(system);
  if (field(system, 'members') !== undefined)
    return [{ path: ['system', 'members'], message: 'found members without a target, expected both', at: 'key' }];
  const env = field(backends, 'env');
  const variables = isMap(env) ? Object.entries(env) : [];
  const path = (name: string) => ['system', 'backends', 'env', name];
  if (field(backends, 'command') === undefined) {
    const strays = ['directory', 'ready'].filter(key => field(backends, key) !== undefined);
    return [
      ...strays.map(
        (key): Problem => ({ path: ['system', 'backends', key], message: `found ${key} without a command`, at: 'key' }),
      ),
      ...variables
        .filter(([name]) => labVariables.includes(name))
        .map(([name]): Problem => ({ path: path(name), message: `found ${show(name)}, ${setByLab}`, at: 'key' })),
    ];
  }
  return variables.flatMap(([name, value]) => {
    const message = typeof value === 'string' ? describeUnknownPlaceholder(value, ownPlaceholders) : undefined;
    return message === undefined ? [] : [{ path: path(name), message }];
  });
}

const setByLab = 'which the lab sets itself: remove it, or choose another name';

function targetProblems(system: unknown): Problem[] {
  const others = isMap(system) ? Object.keys(system).filter(key => key !== 'target' && key !== 'members') : [];
  return others.map(key => ({
    path: ['system', key],
    message: `found ${key} beside target, expected one of the two: the lab does not start a system under target`,
    at: 'key',
  }));
}

const command = (what: string) => textWith(what, proxyPlaceholders);
/** A text that is needed before there is a process. */
const startText = (what: string) => textWith(what, startPlaceholders);

const nameOfProxy = text('a name in lower case such as my-haproxy', /^[a-z0-9][a-z0-9-]{0,39}$/);

/** The keys of an external proxy: in `system.proxy` of a scenario, and in the `preset.yaml` of a proxy. */
export const externalProxyKeys = {
  name: nameOfProxy.optional().describe('The name of the proxy in reports. Default: the program of its command.'),
  command: startText('a command such as "exec haproxy -db -f {config}"')
    .optional()
    .describe(
      'Starts another proxy in place of Holdfast, in the foreground, with sh -c. Begin with exec. {config} is the file made of the template, {port} is where it must listen. {run-dir} is a new folder of this run.',
    ),
  config: text('the file of a template, relative to this file', /\S/)
    .optional()
    .describe(
      'The template of its configuration file: {{port}}, {{#backends}}..{{/backends}} and others are filled in.',
    ),
  directory: text('a folder, relative to this file', /\S/)
    .optional()
    .describe('Where its commands run. Default: the folder of this file.'),
  ready: map('system.proxy.ready', {
    tcp: z
      .literal(true, { error: sayExpected('true') })
      .optional()
      .describe('It is ready when its port accepts a connection.'),
    http: text('a path such as /health', /^\/[^\s#]*$/)
      .optional()
      .describe('It is ready when this path is answered with 200 to 299.'),
    within: duration().prefault('5s'),
  })
    .optional()
    .describe('How the lab knows that it is ready. Default: tcp.'),
  reload: command('a command such as "kill -HUP {pid}"')
    .optional()
    .describe('Makes it read {config} again without an interruption. {pid} is the process of its command.'),
  'set-drain': textWith('a command that drains {backend}', drainPlaceholders)
    .optional()
    .describe(
      'Keeps new users away from {backend}. Default: the template is filled in with {{draining}}, and reloaded.',
    ),
  'set-ready': textWith('a command that undoes set-drain', drainPlaceholders)
    .optional()
    .describe('Undoes "set-drain".'),
  states: command('a command that prints the state of each backend')
    .optional()
    .describe(
      'Prints a line for each backend: its name, then ready, draining, down or ejected, then the number of requests in flight. Default: new visits show which backends it uses.',
    ),
  version: startText('a command such as "haproxy -v"').optional().describe('Prints its version, for the report.'),
  env: z
    .record(text('the name of a variable', /^[A-Za-z_][A-Za-z0-9_]*$/), startText('a text'), {
      error: sayExpected('a map of variables'),
    })
    .optional()
    .describe('Added to the environment of its commands.'),
};

const keys = map('an external proxy', externalProxyKeys);
type ExternalKeys = z.output<typeof keys>;

const packages = z.record(text('apt, brew, dnf or apk', /^(?:apt|brew|dnf|apk)$/), text('the name of a package', /\S/));

const presetFile = map('a preset', {
  ...externalProxyKeys,
  like: text('the name of a preset', /^[a-z0-9-]+$/)
    .optional()
    .describe('A shipped preset. Its keys hold where this file has none.'),
  for: text('a sentence that says for which operator it is', /\S/).optional(),
  program: text('the name of the program that must be installed', /^[\w.+-]+$/).optional(),
  packages: packages.optional(),
  documentation: z.array(text('an address', /^https?:\/\//)).optional(),
});

/** A preset as it is shipped: an external proxy, and what a reader wants to know about it. */
export interface Preset extends ExternalProxy {
  /** The operator for which its configuration is made. */
  readonly for?: string | undefined;
  /** Pages of the product on which the configuration rests. */
  readonly documentation: readonly string[];
}

/**
 * Reads a shipped preset by its name, or a `preset.yaml` of the user by its path. Rejects with `ScenarioError` when
 * there is none, or when it holds a mistake.
 */
export async function readPreset(nameOrFile: string): Promise<Preset> {
  const names = presetNames();
  const isFile = /[/\\.]/.test(nameOrFile);
  if (!isFile && !names.includes(nameOrFile))
    throw new ScenarioError(
      `${unknownName('proxy', nameOrFile, names)} Or give the path of a preset.yaml of your own.`,
    );
  if (isFile && !/\.ya?ml$/.test(nameOrFile))
    throw new ScenarioError(
      `"${nameOrFile}" is no preset: expected a preset.yaml, for example with the lines "like: haproxy" and "config: ${path.basename(nameOrFile)}".`,
    );
  const file = isFile ? nameOrFile : path.join(presetFolder, nameOrFile, 'preset.yaml');
  const example = 'a preset such as examples/proxies/haproxy/preset.yaml';
  const written = await readTextFile(file, { bytesMax: scenarioBytesMax, what: 'a preset in YAML', example });
  return parsePreset(written, file);
}

async function parsePreset(written: string, file: string): Promise<Preset> {
  const yaml = parseYaml(written, file, 'a preset');
  const read = presetFile.safeParse(yaml.value);
  if (!read.success) throw yaml.refusal(read.error.issues.flatMap(issue => shapeProblems(issue, yaml.value)));
  const { like, for: operator, program, packages: names, documentation = [], ...own } = read.data;
  const base = like === undefined ? undefined : await readPreset(like);
  const proxy = toExternal(own, path.dirname(path.resolve(file)), base);
  if (proxy === undefined) throw yaml.refusal([{ path: [], message: `found no command, ${commandExpected}` }]);
  if (lacksTemplate(proxy))
    throw yaml.refusal([{ path: ['command'], message: 'found {config} without config, expected a template' }]);
  const about = { program: program ?? base?.program, packages: names ?? base?.packages, for: operator ?? base?.for };
  return { ...proxy, ...about, documentation: [...documentation, ...(base?.documentation ?? [])] };
}

const commandExpected = 'expected "command" that starts the proxy, or "like" with the name of a preset';

/** Converts the keys. Undefined without a command. `folder`: the absolute path of the folder of their file. */
export function toExternal(written: ExternalKeys, folder: string, base?: ExternalProxy): ExternalProxy | undefined {
  const { config, directory, ready, env, name } = written;
  const start = written.command ?? base?.command;
  if (start === undefined) return undefined;
  return {
    name: name ?? base?.name ?? nameIn(start),
    command: start,
    directory: directory === undefined ? (base?.directory ?? folder) : path.resolve(folder, directory),
    ready: ready === undefined ? (base?.ready ?? { withinMs: 5_000 }) : readyOf(ready),
    env: { ...base?.env, ...env },
    reload: written.reload ?? base?.reload,
    setDrain: written['set-drain'] ?? base?.setDrain,
    setReady: written['set-ready'] ?? base?.setReady,
    states: written.states ?? base?.states,
    version: written.version ?? base?.version,
    config: config === undefined ? base?.config : readTemplate(path.resolve(folder, config)),
  };
}

function readyOf({ http, within }: NonNullable<ExternalKeys['ready']>): ExternalProxy['ready'] {
  return { ...(http === undefined ? {} : { http }), withinMs: within };
}

/** Returns the program of a command: `haproxy` of "exec /usr/sbin/haproxy -db". */
function nameIn(start: string): string {
  const [program = 'proxy'] = start
    .replace(/^\s*exec\s+/, '')
    .trim()
    .split(/\s+/);
  return (
    path
      .basename(program)
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-') || 'proxy'
  );
}

function lacksTemplate({ command: start, config }: { readonly command?: unknown; readonly config?: unknown }): boolean {
  return config === undefined && String(start).includes('{config}');
}

/** Finds keys of an external proxy without a command, and a {config} without a template. */
export function externalProxyProblems(file: unknown): Problem[] {
  const proxy = field(field(file, 'system'), 'proxy');
  if (!isMap(proxy)) return [];
  const at = (key: string) => ['system', 'proxy', key];
  if (proxy.command === undefined)
    return Object.keys(externalProxyKeys)
      .filter(key => proxy[key] !== undefined)
      .map((key): Problem => ({ path: at(key), message: `found ${key} without a command`, at: 'key' }));
  if (!lacksTemplate(proxy)) return [];
  return [{ path: at('command'), message: 'found {config} without system.proxy.config, expected a template' }];
}
