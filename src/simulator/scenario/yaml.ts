import { open } from 'node:fs/promises';
import {
  type Document,
  isAlias,
  isNode,
  isPair,
  isScalar,
  isSeq,
  isMap as isYamlMap,
  Lexer,
  LineCounter,
  type ParsedNode,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import type * as z from 'zod';
import { ScenarioError } from '../errors.js';

/** Mistake at a place in the file. `path` has one key or index per step down from the root. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  /** Says what was found and what was expected. */
  readonly message: string;
  /** Set when the problem points at the key instead of its value. */
  readonly at?: 'key';
}

export interface YamlFile {
  readonly value: unknown;
  /** Creates one error for all problems: a line `file:line:column: message` for each, in the order of the file. */
  refusal(problems: readonly Problem[]): ScenarioError;
  /** Returns `file:line` of the value at this path; of its nearest parent when there is no value. */
  placeOf(path: readonly string[]): string;
  /** Returns the source text of the value at this path, with quotes and line ends; empty when there is no value. */
  sourceOf(path: readonly string[]): string;
}

/** Longest scenario file. Scenarios are written by hand and much shorter. */
export const scenarioBytesMax = 256 * 1024;
const problemsShownMax = 10;
/** Deepest nesting of `[` and `{`: far more than a scenario needs, and far less than the stack of the parser allows. */
const flowDepthMax = 32;
/** Most entries of one list or map: more than any scenario needs. The checks need not be fast for more. */
export const entriesMax = 200;
const indentation = /^[ \t?:-]{200}/m;

type Doc = Document.Parsed<ParsedNode>;

interface Placed {
  readonly offset: number;
  readonly message: string;
}

/**
 * Parses one plain YAML document. Throws `ScenarioError` for wrong syntax, a second document, duplicate keys, tabs,
 * aliases and unknown tags.
 */
export function parseYaml(text: string, fileName: string, what = 'a scenario'): YamlFile {
  const lines = new LineCounter();
  const oversized = findTooLong(text) ?? findTooDeep(text, what);
  if (oversized !== undefined) throw refuse(fileName, linesOf(text), [oversized]);
  const source = text.replace(/^\uFEFF/, '');
  const doc = parseDocument(source, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false, // the parser compares each key with all others, which is slow: see `findDuplicates`
    logLevel: 'error',
  });
  const broken = [
    ...[...doc.errors, ...doc.warnings].map(syntaxProblem),
    ...findAliases(doc),
    ...collectionProblems(doc),
  ];
  if (broken.length > 0) throw refuse(fileName, lines, broken);
  const place = (problem: Problem) => ({ offset: offsetOf(doc, problem), message: problem.message });
  return {
    value: doc.toJS(),
    refusal: problems => refuse(fileName, lines, problems.map(place)),
    placeOf: path => `${fileName}:${lines.linePos(offsetOf(doc, { path, message: '', at: 'key' })).line}`,
    sourceOf: path => {
      const node = doc.getIn(path, true);
      return isNode(node) ? source.slice(...(node.range?.slice(0, 2) ?? [0, 0])) : '';
    },
  };
}

function findTooLong(text: string): Placed | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes <= scenarioBytesMax) return undefined;
  return { offset: 0, message: `found ${bytes} bytes, expected at most ${scenarioBytesMax}` };
}

/** Finds values that are nested too deep, before the parser does: the parser uses its stack for each level. */
function findTooDeep(text: string, what: string): Placed | undefined {
  const message = `found values nested too deep, expected ${what}`;
  const indented = indentation.exec(text);
  if (indented !== null) return { offset: indented.index, message };
  let depth = 0;
  let offset = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth += 1;
    if (token === ']' || token === '}') depth -= 1;
    if (depth > flowDepthMax) return { offset, message };
    if (!markers.has(token)) offset += token.length;
  }
  return undefined;
}

/** Markers of the lexer between tokens. They stand for no character of the file. */
const markers = new Set(['\u0002', '\u0018', '\u001f']);

function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  for (const { index } of text.matchAll(/^/gm)) lines.addNewLine(index);
  return lines;
}

function syntaxProblem(error: YAMLError): Placed {
  return { offset: error.pos[0], message: syntaxMessages[error.code] ?? `found invalid YAML: ${error.message}` };
}

const syntaxMessages: { readonly [code in YAMLError['code']]?: string } = {
  TAB_AS_INDENT: 'found a tab, expected spaces for indentation',
  MULTIPLE_DOCS: 'found a second document, expected one per file',
  TAG_RESOLVE_FAILED: 'found a YAML tag that is not known here, expected a plain value',
  NON_STRING_KEY: 'found a key that is not text, expected a plain name',
};

/** Finds aliases. A few lines of aliases can expand to gigabytes, and a scenario needs none. */
function findAliases(doc: Doc): Placed[] {
  const found: Placed[] = [];
  visit(doc, (_key, node) => {
    if (!isAlias(node)) return;
    found.push({ offset: node.range?.[0] ?? 0, message: `found the alias *${node.source}, expected the value itself` });
  });
  return found;
}

function collectionProblems(doc: Doc): Placed[] {
  const found: Placed[] = [];
  visit(doc, {
    Collection(_key, { items, range }) {
      if (items.length > entriesMax) {
        const message = `found ${items.length} entries, expected at most ${entriesMax} in one list or map`;
        found.push({ offset: range?.[0] ?? 0, message });
      } else found.push(...findDuplicates(items));
    },
  });
  return found;
}

function findDuplicates(items: readonly unknown[]): Placed[] {
  const seen = new Set<unknown>();
  return items.flatMap(item => {
    if (!isPair(item) || !isScalar(item.key)) return [];
    const { value } = item.key;
    const message = 'found a key that stands here already, expected each key once';
    if (seen.has(value)) return [{ offset: startOf(item.key), message }];
    seen.add(value);
    return [];
  });
}

/** Returns the offset of a value; of its key with `at: 'key'`; of its nearest parent when the value is missing. */
function offsetOf(doc: Doc, { path, at }: Problem): number {
  let node: unknown = doc.contents;
  let key: unknown = doc.contents;
  for (const name of path) {
    const item: unknown = isYamlMap(node)
      ? node.items.find(pair => isScalar(pair.key) && pair.key.value === String(name))
      : isSeq(node) && node.items[Number(name)];
    if (!isPair(item) && !isNode(item)) return startOf(key);
    key = isPair(item) ? item.key : item;
    node = isPair(item) ? item.value : item;
  }
  return startOf(at === 'key' ? key : node);
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function refuse(fileName: string, lines: LineCounter, problems: readonly Placed[]): ScenarioError {
  const sorted = problems
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, message }) => {
      const { line, col } = lines.linePos(offset);
      return `${fileName}:${Math.max(1, line)}:${Math.max(1, col)}: ${clean(message)}`;
    });
  const distinct = [...new Set(sorted)];
  const more = distinct.length - problemsShownMax;
  const shown = distinct.slice(0, problemsShownMax);
  return new ScenarioError([...shown, ...(more > 0 ? [`... and ${more} more.`] : [])].join('\n'));
}

/** Removes control characters: text from a file must not control the terminal that prints the message. */
export function clean(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
  return message.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

interface TextFileKind {
  readonly bytesMax: number;
  /** The expected content, such as `a scenario in YAML`. */
  readonly what: string;
  /** An example, such as `a scenario such as scenarios/kill-one.yaml`. */
  readonly example: string;
}

/** Reads a whole file of the user. Rejects with `ScenarioError` when it cannot be read or is too long. */
export async function readTextFile(file: string, { bytesMax, what, example }: TextFileKind): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new ScenarioError(`${file}: found something that is not a file, expected ${what}`);
      if (stat.size > bytesMax) {
        throw new ScenarioError(`${file}:1:1: found ${stat.size} bytes, expected at most ${bytesMax}`);
      }
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof ScenarioError ? error : createUnreadable(file, error, example);
  }
}

function createUnreadable(file: string, error: unknown, example: string): ScenarioError {
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  const found = missing ? 'found no such file' : `cannot be read (${error instanceof Error ? error.message : error})`;
  return new ScenarioError(`${file}: ${found}, expected ${example}`);
}

/** Functions that read parts of a file as written. Any part can be wrong. */

/** Parses a value with a schema; undefined when it does not match. */
export function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | undefined {
  return schema.safeParse(value).data;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function field(value: unknown, key: string): unknown {
  return isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function listIn(file: unknown, key: string): readonly unknown[] {
  const written = field(file, key);
  return Array.isArray(written) ? written : [];
}

/** Turns an issue of a schema into problems. `file`: the content of the file as written. Pure. */
export function shapeProblems(issue: z.core.$ZodIssue, file: unknown): Problem[] {
  const { path, message } = issue;
  // A union without a message leaves the message to the alternative that was meant.
  const meant = issue.code === 'invalid_union' && message === '' ? issue.errors.find(isMeant) : undefined;
  if (meant !== undefined)
    return meant.flatMap(inner => shapeProblems({ ...inner, path: [...path, ...inner.path] }, file));
  if (issue.code === 'unrecognized_keys') {
    const sentences = message.split('\n');
    return issue.keys.map((key, index) => ({ path: [...path, key], message: sentences[index] ?? message, at: 'key' }));
  }
  if (issue.code === 'invalid_key') return [{ path, message, at: 'key' }];
  const missing = path.length > 0 && valueAt(file, path) === undefined;
  return [{ path, message: missing ? `${nameOf(path)} is missing, ${message}` : message }];
}

/** Returns whether this alternative of a union was meant: only parts of the value are wrong. */
function isMeant(errors: readonly z.core.$ZodIssue[]): boolean {
  return errors.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys' || code === 'custom');
}

export function valueAt(file: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    return entries.find(([name]) => name === String(key))?.[1];
  }, file);
}

/** Returns a path as text: `users.arrivals.rate`, `faults[1].id`. */
export function nameOf(path: readonly PropertyKey[]): string {
  return path
    .map(key => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}
