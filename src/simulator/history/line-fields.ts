import { kinds, outcomes } from './lines.js';
import { flag, shortField } from './rows.js';
import { toByteText } from './string-pool.js';

/** The fields of an operation, in the order in which Holdfast writes them. */
export const field = {
  ...{ type: 0, id: 1, user: 2, kind: 3, session: 4, plannedMs: 5, sentMs: 6, doneMs: 7, outcome: 8 },
  ...{ token: 9, status: 10, error: 11, identity: 12, items: 13, backend: 14, incarnation: 15, proxy: 16, key: 17 },
  ...{ final: 18, extra: 19, keptId: 20, version: 21, renewed: 22 },
} as const;
const names = Object.keys(field);
/** One bit for each field that every operation has, which is each up to `outcome`. */
export const required = 2 ** (field.outcome + 1) - 1;

export const nameTexts = names.map(name => toByteText(`"${name}":`));
/** The number of each field, by the `hashStart` of its name. */
export const fieldsByStart = new Int8Array(1024).fill(-1);
names.forEach((name, i) => {
  fieldsByStart[hashStart(Buffer.from(`"${name}":`), 0)] = i;
});

/** The values that are compared as a whole. */
export const kindTexts = kinds.map(kind => toByteText(`"${kind}"`));
export const outcomeTexts = outcomes.map(outcome => toByteText(`"${outcome}"`));
export const typeText = toByteText('"operation"');
export const nullText = toByteText('null');
export const trueText = toByteText('true');

/** Where a row keeps each field that is a label. */
export const labelFields: Readonly<Record<number, number>> = {
  [field.error]: shortField.error,
  [field.backend]: shortField.backend,
  [field.incarnation]: shortField.incarnation,
  [field.proxy]: shortField.proxy,
  [field.key]: shortField.key,
  [field.version]: shortField.version,
};

/** The bit of each field that is a flag. */
export const flagFields: Readonly<Record<number, number>> = {
  [field.final]: flag.final,
  [field.extra]: flag.extra,
  [field.keptId]: flag.keptId,
  [field.renewed]: flag.renewed,
};

/** Returns a number below 1024 from the three letters after a quote. It is different for each field name. */
export function hashStart(bytes: Uint8Array, at: number): number {
  const [first, second, third] = [bytes[at + 1] ?? 0, bytes[at + 2] ?? 0, bytes[at + 3] ?? 0];
  return (((first ^ second) & 31) << 5) | (third & 31);
}
