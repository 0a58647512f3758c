import type { WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import { isPlaceholder } from '../../simulator/scenario/journey/mapping.js';
import { isSafe, mapLeaves, type Part, type RecordedCall, splitPath, type TypedCalls } from './call.js';

export type WrittenRequest = WrittenJourney['login']['request'];

/** The value that a scenario file writes for a part of a request. Undefined leaves the part out. */
type Templates = ReadonlyMap<string, string | undefined>;

/** Writes a request as a scenario file does. A part whose template equals its value stays as it was sent. */
export function writeRequest(call: RecordedCall, templates: Templates): WrittenRequest {
  const parts = call.parts.map(part => ({ ...part, template: templates.get(part.key) }));
  const fields = (at: Part['at']) => {
    const kept = parts.flatMap((part): [string, string][] =>
      part.at !== at || part.template === undefined ? [] : [[part.name, part.template]],
    );
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  };
  const type = call.body === 'multipart' ? { 'content-type': 'multipart/form-data' } : {};
  const form = fields('form');
  // An app that compares the address of the page with its own refuses a write without it.
  const origin = call.hasOwnOrigin && !isSafe(call) ? { origin: '{origin}' } : {};
  const headers = { ...type, ...origin, ...fields('header') };
  return {
    [call.method]: writePath(call, parts),
    ...(form === undefined ? {} : { form }),
    ...(call.body === 'json' ? { json: writeJson(call, templates) } : {}),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
  };
}

type Templated = Part & { readonly template: string | undefined };

function writePath({ path }: RecordedCall, parts: readonly Templated[]): string {
  const { segments, fields } = splitPath(path);
  const inPath = parts.filter(({ at }) => at === 'path');
  const inQuery = parts.filter(({ at }) => at === 'query');
  const plain = segments.map((raw, i) => writeRaw(raw, inPath[i], ''));
  const query = fields.flatMap((raw, i) => {
    const part = inQuery[i];
    return part?.template === undefined ? [] : [writeRaw(raw, part, `${encodeURIComponent(part.name)}=`)];
  });
  return `/${plain.join('/')}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

function writeRaw(raw: string, part: Templated | undefined, name: string): string {
  if (part?.template === undefined || part.template === part.value) return raw;
  const texts = part.template.split(/(\{[^{}]*\})/);
  return name + texts.map(text => (isPlaceholder(text) ? text : encodeURIComponent(text))).join('');
}

function writeJson({ json }: RecordedCall, templates: Templates): unknown {
  return mapLeaves(json, (path, value) => {
    if (!templates.has(path)) return value;
    const template = templates.get(path);
    return template === String(value) ? value : template;
  });
}

/** Replaces what was typed in a pass by `{user}` and `{token}`. The longer text goes first: it can contain the other. */
export function replaceTyped(value: string, { user, item }: Pick<TypedCalls, 'user' | 'item'>): string {
  const pairs = [[user, '{user}'] as const, [item, '{token}'] as const].filter(([typed]) => typed !== '');
  return pairs
    .sort(([a], [b]) => b.length - a.length)
    .reduce((text, [typed, name]) => text.replaceAll(typed, name), value);
}

/** The part of two texts that differs, grown to whole words, and the text around it. */
export interface Difference {
  readonly head: string;
  readonly values: readonly [string, string];
  readonly tail: string;
}

const wordCharacter = /[\w.+/=~%-]/;

export function findDifference(one: string, other: string): Difference {
  let start = 0;
  while (start < Math.min(one.length, other.length) && one[start] === other[start]) start += 1;
  while (start > 0 && wordCharacter.test(one[start - 1] ?? '')) start -= 1;
  let length = 0;
  const longest = Math.min(one.length, other.length) - start;
  while (length < longest && one.at(-1 - length) === other.at(-1 - length)) length += 1;
  while (length > 0 && wordCharacter.test(one.at(-length) ?? '')) length -= 1;
  return {
    head: one.slice(0, start),
    values: [one.slice(start, one.length - length), other.slice(start, other.length - length)],
    tail: one.slice(one.length - length),
  };
}

/** Names of fields whose value belongs to a session or a page even if two passes agree on it. */
const tokenName = /csrf|xsrf|nonce|authenticity|verification/i;

export function isTokenField({ name, value, at }: Part): boolean {
  return at !== 'path' && tokenName.test(name) && value.length >= 8;
}

export function isPasswordField({ name }: Part): boolean {
  return /pass|pwd|\bpw|\bpin\b|secret/i.test(name);
}

/** Whether both look like a moment: seconds or milliseconds since 1970, or a date of ISO 8601. */
export function isMoment(values: readonly string[]): boolean {
  return values.every(value => /^1[5-9]\d{8}(\d{3})?(\.\d+)?$/.test(value) || /^20\d\d-\d\d-\d\dT[\d:.]+/.test(value));
}

/** Names a value to carry after its field or its place, such as `csrf` or `cart-id`. */
export function nameCarried({ at, name }: Part, place: { readonly path?: string | undefined }): string {
  const key = /([\w-]+)(?:\[\d+\])?$/.exec(place.path ?? '')?.[1];
  const source = at === 'path' ? `${name}-id` : at === 'header' && key !== undefined ? key : name;
  const plain = source
    .replaceAll(/([a-z])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 30);
  return ['', 'user', 'token', 'origin', 'new-password'].includes(plain) ? 'carried' : plain;
}
