import { readFileSync, statSync } from 'node:fs';
import mustache from 'mustache';
import { commandLine } from '../../../shared/package.js';
import { messageOf, quoteForShell } from '../../../shared/text.js';
import { findProgram, findToolName, systemPath } from '../../../shared/tools.mjs';
import { LabError, ScenarioError } from '../../errors.js';
import { assertPlain, fillPlaceholders } from '../backend.js';
import { portRefuses, statusWithin } from '../probe.js';
import type { ProcessSpec } from '../processes/process-member.js';

/**
 * A proxy that is not Holdfast's: how to start it, and the commands that speak to it. Commands run with `sh -c` in
 * `directory`. `examples/proxies/` has one for each preset, and a scenario file can hold one (system.proxy).
 */
export interface ExternalProxy {
  /** Its name in reports and on the command line. */
  readonly name: string;
  /** Starts it in the foreground. Begin with `exec`, so that {pid} is the program and not a shell. */
  readonly command: string;
  /** An absolute path. */
  readonly directory: string;
  /** The template of its configuration. {config} is the file that the lab makes of it. */
  readonly config?: ConfigTemplate | undefined;
  /** It is ready when its port accepts a connection, or when this path is answered with 200 to 299. */
  readonly ready: { readonly http?: string; readonly withinMs: number };
  /** Makes it read {config} again, without an interruption. */
  readonly reload?: string | undefined;
  /** Keeps new users away from {backend}. */
  readonly setDrain?: string | undefined;
  /** Undoes `setDrain`. */
  readonly setReady?: string | undefined;
  /** Prints a line for each backend: its name, then ready, draining, down or ejected, then the requests in flight. */
  readonly states?: string | undefined;
  /** Prints its version. */
  readonly version?: string | undefined;
  /** Added to the environment of `command`. */
  readonly env: Readonly<Record<string, string>>;
  /** The text after `--proxy`, to repeat the run. Absent for a proxy of the scenario file. */
  readonly asked?: string | undefined;
  /** The program that must be installed. */
  readonly program?: string | undefined;
  /** The package with this program, by package manager. */
  readonly packages?: Readonly<Record<string, string>> | undefined;
}

/** Placeholders of the command that starts an external proxy. It has no process yet. */
export const startPlaceholders = ['config', 'port', 'admin-port', 'run-dir', 'name', 'secret'] as const;
/** Placeholders of the commands that speak to it. */
export const proxyPlaceholders = [...startPlaceholders, 'pid'] as const;
/** Placeholders of `set-drain` and `set-ready`. */
export const drainPlaceholders = [...proxyPlaceholders, 'backend'] as const;

/** One process of an external proxy: a scenario can have two, with one configuration. */
export interface ExternalPlace {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
  readonly runDirectory: string;
  /** The same for all proxies of a run. */
  readonly secret: string;
  /** The path of its configuration file. */
  readonly config: string;
}

/** Returns whether a backend can be drained: by a command, or by a reload of a template that knows `draining`. */
export function canDrain({ setDrain, reload, config }: ExternalProxy): boolean {
  return setDrain !== undefined || (reload !== undefined && config?.uses.has('backends.draining') === true);
}

/** Builds its process spec. Throws `LabError` when its program or its folder is missing. */
export function externalProxySpec(external: ExternalProxy, place: ExternalPlace): ProcessSpec {
  const { directory, ready } = external;
  assertInstalled(external);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new LabError(`"${directory}" is not a folder: expected the folder in which ${external.name} is run.`);
  assertPlain(external.command, place.runDirectory);
  const values = valuesOf(place);
  const command = fillPlaceholders(external.command, values);
  const { http, withinMs: readyWithinMs } = ready;
  return {
    name: place.name,
    role: 'proxy',
    port: place.port,
    command: '/bin/sh',
    args: ['-c', command],
    env: { PATH: systemPath(), ...mapValues(external.env, text => fillPlaceholders(text, values)) },
    group: true,
    directory,
    readyWithinMs,
    async answers(withinMs, at = place.port) {
      if (http === undefined) return !(await portRefuses(at));
      const status = await statusWithin(`http://127.0.0.1:${at}${http}`, withinMs);
      return status !== undefined && status >= 200 && status < 300;
    },
    remedy: `cd ${quoteForShell(directory)} && ${command}   (run it by hand to see its output); it must stay in the foreground and listen on 127.0.0.1:${place.port}`,
  };
}

/** Fills in a command that speaks to the running proxy. `more`: further placeholders, such as `backend`. */
export function commandFor(
  { directory, env }: ExternalProxy,
  command: string,
  place: ExternalPlace,
  more: Readonly<Record<string, string>> = {},
): string {
  const values = { ...valuesOf(place), ...more };
  const variables = Object.entries({ PATH: systemPath(), ...env }).map(
    ([name, text]) => `export ${name}=${quoteForShell(fillPlaceholders(text, values))};`,
  );
  return `cd ${quoteForShell(directory)} && { ${variables.join(' ')} ${fillPlaceholders(command, values)}\n}`;
}

function valuesOf(place: ExternalPlace): Readonly<Record<string, string>> {
  const { name, port, adminPort, runDirectory, secret, config } = place;
  return { name, port: String(port), 'admin-port': String(adminPort), 'run-dir': runDirectory, secret, config };
}

/** Returns whether the program of a proxy is installed, or is not known. */
export function isInstalled({ program }: Pick<ExternalProxy, 'program'>): boolean {
  return program === undefined || findProgram([program]) !== undefined;
}

/** Throws `LabError` with the package to install when the program of a proxy is missing. */
export function assertInstalled(external: ExternalProxy): void {
  if (isInstalled(external)) return;
  const { name, program, packages = {} } = external;
  const tool = program && findToolName(program);
  const ways = Object.entries(packages).map(([manager, what]) => `${installWith[manager] ?? manager} ${what}`);
  const byHand = ways.length === 0 ? 'install it first.' : `install it with ${ways.join(' or ')}.`;
  const how = tool === undefined ? byHand : `type ${commandLine('doctor', '--install', tool)}`;
  throw new LabError(`${name} needs the program ${program}, which is not installed: ${how}`);
}

const installWith: Readonly<Record<string, string>> = {
  apt: 'apt-get install',
  brew: 'brew install',
  dnf: 'dnf install',
  apk: 'apk add',
};

function mapValues(map: Readonly<Record<string, string>>, change: (text: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, text]) => [key, change(text)]));
}

const templateBytesMax = 1024 * 1024;

/** A configuration file of an external proxy, with placeholders in double braces. */
interface ConfigTemplate {
  /** An absolute path. */
  readonly file: string;
  readonly text: string;
  /** All placeholders and sections that it uses. Those of a backend are written `backends.port`. */
  readonly uses: ReadonlySet<string>;
}

/** Placeholders of one backend. They are known between {{#backends}} and {{/backends}}. */
export const backendPlaceholders = ['name', 'id', 'host', 'port', 'draining', 'spare'] as const;
type TemplateBackend = Readonly<Record<(typeof backendPlaceholders)[number], string | number | boolean>>;

export const templatePlaceholders = [
  ...['name', 'mode', 'host', 'port', 'admin-port', 'run-dir', 'secret', 'root', 'affinity', 'name-backends'],
  ...['health.path', 'health.every-ms', 'health.timeout-ms', 'health.fall', 'health.rise', 'health.down-s'],
  ...['drain-ms', 'maxconn', 'queue', 'queue-timeout-ms'],
] as const;

/** Values of the placeholders. A name with a dot is one key. False and absent values leave out their section. */
export type TemplateView = Readonly<Record<(typeof templatePlaceholders)[number], string | number | boolean>> & {
  readonly backends: readonly TemplateBackend[];
};

/** Reads and checks a template. Throws `ScenarioError` with file and line for an unknown placeholder. */
export function readTemplate(file: string): ConfigTemplate {
  const expected = 'expected the template of a configuration';
  let text: string;
  try {
    const stat = statSync(file);
    // A pipe could have no end.
    if (!stat.isFile()) throw new ScenarioError(`${file}: found something that is not a file, ${expected}.`);
    if (stat.size > templateBytesMax)
      throw new ScenarioError(`${file}: found ${stat.size} bytes, expected at most ${templateBytesMax}.`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    throw new ScenarioError(`${file}: cannot be read (${messageOf(error)}), ${expected}.`);
  }
  return parseTemplate(text, file);
}

/** Checks a template. Mustache itself would print nothing for an unknown placeholder. */
export function parseTemplate(text: string, file: string): ConfigTemplate {
  let tokens: unknown[];
  try {
    tokens = mustache.parse(text);
  } catch (error) {
    const message = messageOf(error);
    const offset = Number(/ at (\d+)$/.exec(message)?.[1] ?? 0);
    throw newTemplateError(
      { text, file },
      offset,
      `found ${message.replace(/ at \d+$/, '')}, expected each section to be closed`,
    );
  }
  const uses = new Set<string>();
  checkTokens(tokens.map(readToken), '', { text, file, uses });
  return { text, file, uses };
}

/** Fills in the values. Values are not escaped: the file is not HTML. */
export function renderTemplate({ text }: ConfigTemplate, view: TemplateView): string {
  return mustache.render(text, nestKeys(view), {}, { escape: String });
}

interface Token {
  readonly kind: string;
  readonly value: string;
  readonly offset: number;
  readonly inner: readonly Token[];
}

/** Reads one token of mustache: `[kind, value, start, end, tokens inside]`. */
function readToken(token: unknown): Token {
  const [kind, value, offset, , inner]: unknown[] = Array.isArray(token) ? token : [];
  const tokens = Array.isArray(inner) ? inner.map(readToken) : [];
  return { kind: String(kind), value: String(value), offset: Number(offset), inner: tokens };
}

interface CheckedFile extends Pick<ConfigTemplate, 'file' | 'text'> {
  readonly uses: Set<string>;
}

function checkTokens(tokens: readonly Token[], within: '' | 'backends', file: CheckedFile): void {
  for (const { kind, value, offset, inner } of tokens) {
    if (kind === 'text' || kind === '!') continue;
    if (kind === '>' || kind === '=')
      throw newTemplateError(file, offset, `found {{${kind}, expected {{name}}, {{#name}} or {{^name}}`);
    const isSection = kind === '#' || kind === '^';
    const known = [
      ...(isSection && within === '' ? ['backends'] : []),
      ...(within === '' ? templatePlaceholders : backendPlaceholders),
      ...templatePlaceholders,
    ];
    if (!known.some(name => name === value))
      throw newTemplateError(
        file,
        offset,
        `found {{${kind === 'name' ? '' : kind}${value}}}, expected one of ${listOf(known)}`,
      );
    file.uses.add(within !== '' && backendPlaceholders.some(name => name === value) ? `backends.${value}` : value);
    checkTokens(inner, value === 'backends' || within === 'backends' ? 'backends' : '', file);
  }
}

function listOf(known: readonly string[]): string {
  return [...new Set(known)].map(name => `{{${name}}}`).join(', ');
}

function newTemplateError(
  { text, file }: Pick<ConfigTemplate, 'file' | 'text'>,
  offset: number,
  message: string,
): ScenarioError {
  const line = text.slice(0, offset).split('\n').length;
  return new ScenarioError(`${file}:${line}: ${message}.`);
}

/** Turns keys such as `health.path` into nested maps: mustache looks up each part of a name. */
function nestKeys(view: TemplateView): Readonly<Record<string, unknown>> {
  const nested: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(view)) {
    const [first = '', second] = name.split('.');
    if (second === undefined) nested[first] = value;
    else nested[first] = { ...(nested[first] as object | undefined), [second]: value };
  }
  return nested;
}
