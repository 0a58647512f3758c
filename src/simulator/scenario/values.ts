import * as z from 'zod';
import { durationPattern, parseDuration } from '../../shared/units.js';
import { unknownName } from '../../shared/unknown-name.js';

/**
 * Schemas of the values of a scenario file. Each has a message that says what was found and what was expected.
 * Durations are parsed to milliseconds.
 */

const minute = 60_000;
/** The longest phase, and the latest moment of a phase at which a fault can strike. */
export const phaseMsMax = 10 * minute;

type Complaint = (issue: { readonly input?: unknown }) => string;

export const sayExpected =
  (what: string): Complaint =>
  ({ input }) =>
    input === undefined ? `expected ${what}` : `found ${show(input)}, expected ${what}`;

export function show(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** Builds the schema of a map. It refuses unknown keys, with one line of the message for each. */
export function map<Shape extends z.ZodRawShape>(where: string, shape: Shape) {
  const keys = Object.keys(shape);
  const notAMap = sayExpected(`a map with the keys ${keys.join(', ')}`);
  return z.strictObject(shape, {
    error: issue =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map(key => unknownName(`key in ${where}`, key.replaceAll(/\s+/g, ' '), keys)).join('\n')
        : notAMap(issue),
  });
}

export function oneOf<const Names extends readonly string[]>(kind: string, names: Names) {
  const notText = sayExpected(`a ${kind}: ${names.join(', ')}`);
  return z.enum(names, {
    error: issue => (typeof issue.input === 'string' ? unknownName(kind, issue.input, names) : notText(issue)),
  });
}

export function text(what: string, pattern: RegExp) {
  const error = sayExpected(what);
  return z.string({ error }).regex(pattern, { error, abort: true });
}

export const cookieName = text('the name of a cookie', /^[\w!#$%&'*+.^`|~-]+$/);

export function wholeNumber(min: number, max: number) {
  const error = sayExpected(`a whole number from ${min} to ${max}`);
  return z.number({ error }).int({ error, abort: true }).min(min, { error }).max(max, { error });
}

/** Builds the schema of a list of names of one kind, without duplicates. */
export function names(kind: string, pattern: RegExp) {
  return z
    .array(text(`the name of a ${kind}`, pattern), { error: sayExpected(`a list of names of a ${kind}`) })
    .min(1, { error: sayExpected(`at least one name of a ${kind}`) })
    .refine(list => new Set(list).size === list.length, { error: `found a ${kind} twice, expected each once` });
}

/** Builds the schema of a choice between a few whole numbers. */
export function amongNumbers<const Numbers extends readonly number[]>(...numbers: Numbers) {
  return z.literal([...numbers], { error: sayExpected(`one of ${numbers.join(', ')}`) });
}

export function duration(minMs: 0 | 1 = 1, max = '10min') {
  const what = `a duration from ${minMs}ms to ${max}, such as 500ms${max.endsWith('min') ? ', 5s or 1min' : ' or 5s'}`;
  const maxMs = parseDuration(max) ?? 0;
  const fits = (ms: number | undefined) => ms !== undefined && ms >= minMs && ms <= maxMs;
  return text(what, new RegExp(`^${durationPattern}$`))
    .refine(written => fits(parseDuration(written)), { error: sayExpected(what) })
    .transform(written => parseDuration(written) ?? 0);
}

/** Schema of a duration with an optional sign. */
export const signedDuration = text(
  'a duration with a sign, from -10min to 10min, such as -90s or +5s',
  new RegExp(`^[+-]?${durationPattern}$`),
)
  .transform(written => (written.startsWith('-') ? -1 : 1) * (parseDuration(written.replace(/^[+-]/, '')) ?? 0))
  .refine(ms => Math.abs(ms) <= 10 * minute && ms !== 0, {
    error: 'expected a duration with a sign, from -10min to 10min and not 0, such as -90s or +5s',
  });

const variableName = text('the name of a variable', /^[A-Za-z_][A-Za-z0-9_]*$/);
const variableValue = z
  .union([z.string(), z.number(), z.boolean()], { error: sayExpected('text, a number, true or false') })
  .transform(String);
export const environment = z.record(variableName, variableValue, {
  error: issue => (issue.code === 'invalid_key' ? issue.issues[0]?.message : sayExpected('a map of variables')(issue)),
});

export const megabytes = text('a size from 1MB to 9999MB, such as 64MB', /^[1-9]\d{0,3}MB$/).transform(written =>
  Number.parseInt(written, 10),
);

export const percent = text('a share from 1 % to 99 %, such as 10 %', /^[1-9]\d?\s*%$/).transform(
  written => Number.parseInt(written, 10) / 100,
);

/** Builds the schema of a percentage: `30`, or `30 %` as a share is written elsewhere. */
export function percentage(max: 99 | 100) {
  const what = `a whole number from 1 to ${max}, such as 30 or 30 %`;
  const error = sayExpected(what);
  const share = text(what, max === 100 ? /^(?:[1-9]\d?|100)\s*%$/ : /^[1-9]\d?\s*%$/);
  const number = z.number({ error }).int({ error }).min(1, { error }).max(max, { error });
  return z.union([number, share.transform(written => Number.parseInt(written, 10))], { error });
}

export const byteRate = text('a rate from 1KB/s to 999KB/s, such as 10KB/s', /^[1-9]\d{0,2}KB\/s$/).transform(
  written => Number.parseInt(written, 10) * 1_000,
);

export const rate = text('a rate from 0.1/s to 10000/s, such as 20/s', /^\d+(\.\d+)?\/s$/)
  .refine(written => Number.parseFloat(written) >= 0.1 && Number.parseFloat(written) <= 10_000, {
    error: sayExpected('a rate from 0.1/s to 10000/s, such as 20/s'),
  })
  .transform(written => Number.parseFloat(written));

/** Schemas of the options of a fault, by name. */
export type Options = z.ZodRawShape;
export type OptionsRead<Own extends Options> = z.output<z.ZodObject<Own>>;

/** Returns a function that parses options as written. They were already checked with the file. */
export function readerOf<Own extends Options>(options: Own): (written: unknown) => OptionsRead<Own> {
  const shape = z.object(options);
  return written => shape.parse(written);
}
