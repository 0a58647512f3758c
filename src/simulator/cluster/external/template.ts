import { readFileSync, statSync } from 'node:fs';
import mustache from 'mustache';
import { messageOf } from '../../../shared/error-message.js';
import { ScenarioError } from '../../errors.js';

/** A configuration file of an external proxy, with placeholders in double braces. */
export interface ConfigTemplate {
  /** An absolute path. */
  readonly file: string;
  readonly text: string;
  /** All placeholders and sections that it uses. Those of a backend are written `backends.port`. */
  readonly uses: ReadonlySet<string>;
}

/** Placeholders of one backend. They are known between {{#backends}} and {{/backends}}. */
export const backendPlaceholders = ['name', 'id', 'host', 'port', 'draining', 'spare'] as const;
export type TemplateBackend = Readonly<Record<(typeof backendPlaceholders)[number], string | number | boolean>>;

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
    if (stat.size > bytesMax)
      throw new ScenarioError(`${file}: found ${stat.size} bytes, expected at most ${bytesMax}.`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    throw new ScenarioError(`${file}: cannot be read (${messageOf(error)}), ${expected}.`);
  }
  return parseTemplate(text, file);
}

const bytesMax = 1024 * 1024;

/** Checks a template. Mustache itself would print nothing for an unknown placeholder. */
export function parseTemplate(text: string, file: string): ConfigTemplate {
  let tokens: unknown[];
  try {
    tokens = mustache.parse(text);
  } catch (error) {
    const message = messageOf(error);
    const offset = Number(/ at (\d+)$/.exec(message)?.[1] ?? 0);
    throw refuse(
      { text, file },
      offset,
      `found ${message.replace(/ at \d+$/, '')}, expected each section to be closed`,
    );
  }
  const uses = new Set<string>();
  check(tokens.map(readToken), '', { text, file, uses });
  return { text, file, uses };
}

/** Fills in the values. Values are not escaped: the file is not HTML. */
export function renderTemplate({ text }: ConfigTemplate, view: TemplateView): string {
  return mustache.render(text, nest(view), {}, { escape: String });
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

function check(tokens: readonly Token[], within: '' | 'backends', file: CheckedFile): void {
  for (const { kind, value, offset, inner } of tokens) {
    if (kind === 'text' || kind === '!') continue;
    if (kind === '>' || kind === '=')
      throw refuse(file, offset, `found {{${kind}, expected {{name}}, {{#name}} or {{^name}}`);
    const isSection = kind === '#' || kind === '^';
    const known = [
      ...(isSection && within === '' ? ['backends'] : []),
      ...(within === '' ? templatePlaceholders : backendPlaceholders),
      ...templatePlaceholders,
    ];
    if (!known.some(name => name === value))
      throw refuse(file, offset, `found {{${kind === 'name' ? '' : kind}${value}}}, expected one of ${listOf(known)}`);
    file.uses.add(within !== '' && backendPlaceholders.some(name => name === value) ? `backends.${value}` : value);
    check(inner, value === 'backends' || within === 'backends' ? 'backends' : '', file);
  }
}

function listOf(known: readonly string[]): string {
  return [...new Set(known)].map(name => `{{${name}}}`).join(', ');
}

function refuse({ text, file }: Pick<ConfigTemplate, 'file' | 'text'>, offset: number, message: string): ScenarioError {
  const line = text.slice(0, offset).split('\n').length;
  return new ScenarioError(`${file}:${line}: ${message}.`);
}

/** Turns keys such as `health.path` into nested maps: mustache looks up each part of a name. */
function nest(view: TemplateView): Readonly<Record<string, unknown>> {
  const nested: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(view)) {
    const [first = '', second] = name.split('.');
    if (second === undefined) nested[first] = value;
    else nested[first] = { ...(nested[first] as object | undefined), [second]: value };
  }
  return nested;
}
