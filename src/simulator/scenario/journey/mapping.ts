import type { OperationKind } from '../../history/records.js';

/**
 * Mapping of an app in a scenario file: the request of each step, and where its answers hold the values. Plain data:
 * `journey.ts` reads it from the file, and `users/mapped-journey.ts` turns it into a journey.
 */
export interface JourneyMapping {
  readonly login: MappedStep & {
    /** A request right after a login that is done. It makes what a session needs once, such as a cart. */
    readonly after?: MappedRequest | undefined;
  };
  readonly add: MappedStep;
  readonly read: MappedStep & { readonly items: ItemsPlace };
  readonly remove?: MappedStep | undefined;
  readonly whoami?: MappedStep | undefined;
  readonly logout?: MappedStep | undefined;
  /** Changes the password to `{new-password}`. Only attacks use it. */
  readonly password?: MappedStep | undefined;
  /** Renews the session. Only attacks use it. */
  readonly refresh?: MappedStep | undefined;
  /** The answer of the app to a request without a login. */
  readonly anonymous: AnonymousConditions;
  /** Values that answers supply for later requests, by the name of their placeholder. */
  readonly carry: Readonly<Record<string, CarriedPlace>>;
}

export const stepKinds = ['login', 'add', 'read', 'remove', 'whoami', 'logout'] as const;
export type StepKind = (typeof stepKinds)[number];

/** Steps that only `holdfast attack --app` uses. A run ignores them. */
export const attackStepKinds = ['password', 'refresh'] as const;

export interface MappedStep {
  /** A request right before this one. Its answer supplies values for `carry`. */
  readonly before?: MappedRequest | undefined;
  readonly request: MappedRequest;
  /** Conditions on the answer. Default status: 200 to 399. */
  readonly ok?: AnswerConditions | undefined;
  readonly who?: WhoPlace | undefined;
}

/**
 * Request with placeholders: `{user}`, `{token}` and the names under `carry` are replaced when it is sent. In headers,
 * `{origin}` is the address of the app. In JSON, a text that is only `{id:number}` or `{id:boolean}` becomes such a value.
 */
export interface MappedRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly form?: Readonly<Record<string, string>> | undefined;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Place of a text in an answer. `path`: in JSON. `regexp`: its first group in any text; `/regexp/m` adds flags. */
export interface TextPlace {
  readonly path?: string | undefined;
  readonly regexp?: string | undefined;
}

/** Place of the items. With a `regexp`, its second group is the quantity. */
export interface ItemsPlace extends TextPlace {
  readonly quantity?: string | undefined;
}

/** Place of the user's name. `as`: the name as the app writes it, `{user}@example.com`. */
export interface WhoPlace extends TextPlace {
  readonly as?: string | undefined;
}

export interface CarriedPlace extends TextPlace {
  /** The step with the value in its answers, with its `before` and `after`. Absent: any answer. */
  readonly from?: StepKind | undefined;
  /** The name of a cookie whose value is used. */
  readonly cookie?: string | undefined;
  /** The name of a header of the answer. A `regexp` beside it searches only this header. */
  readonly header?: string | undefined;
}

/** A value of JSON that is neither a list nor a map. */
type JsonScalar = string | number | boolean | null;

/** Conditions on an answer. All given parts must hold. */
export interface AnswerConditions {
  /** The allowed statuses. */
  readonly status?: readonly number[] | undefined;
  /** The path of the Location header of a redirect. */
  readonly 'redirect-to'?: string | undefined;
  /** A regular expression between slashes that matches somewhere in the body. */
  readonly body?: string | undefined;
  /** A path into the JSON of the body. Without `absent` and `equals`, its value must exist and not be null. */
  readonly path?: string | undefined;
  /** The value at `path` must be missing or null. */
  readonly absent?: true | undefined;
  /** Every value at `path` must equal this one. */
  readonly equals?: JsonScalar | undefined;
}

/** Answer of the app to a request without a login. */
export interface AnonymousConditions extends AnswerConditions {
  /** The alternative to all other conditions: a redirect to this path alone is enough. */
  readonly 'or-redirect-to'?: string | undefined;
}

/** Returns the step of the mapping for an operation. A replay uses the step `read`. */
export function stepOf(mapping: JourneyMapping, kind: OperationKind): MappedStep | undefined {
  return mapping[kind === 'replay' ? 'read' : kind];
}

const placeholder = /\{([a-z][a-z0-9-]*)(?::(number|boolean))?\}/g;

export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(placeholder)].map(([, name = '']) => name);
}

/** Whether a text is one placeholder without a type, and nothing else. */
export function isPlaceholder(text: string): boolean {
  const [name] = placeholdersIn(text);
  return name !== undefined && text === `{${name}}`;
}

/** Writes a fixed text so that nothing in it is taken for a placeholder: `{sku}` of GraphQL becomes `{ sku }`. */
export function protectBraces(text: string): string {
  return text.replaceAll(placeholder, whole => `{ ${whole.slice(1, -1)} }`);
}

/** The type of a value in JSON that is not text. */
type JsonType = 'number' | 'boolean';

/** Returns the first placeholder with a type. `isWhole`: it is the whole text. */
export function typedPlaceholderIn(
  text: string,
): { readonly name: string; readonly type: JsonType; readonly isWhole: boolean } | undefined {
  const [whole, name = '', type] = [...text.matchAll(placeholder)].find(([, , each]) => each !== undefined) ?? [];
  return whole === undefined
    ? undefined
    : { name, type: type === 'number' ? type : 'boolean', isWhole: whole === text };
}

/** Replaces the placeholders of a text in JSON. A value that does not have the type of its placeholder stays text. */
export function filledInJson(text: string, values: ReadonlyMap<string, string>): string | number | boolean {
  const value = filled(text, values);
  const { type, isWhole } = typedPlaceholderIn(text) ?? {};
  if (!isWhole || value.trim() === '') return value;
  if (type === 'number') return Number.isFinite(Number(value)) ? Number(value) : value;
  return value === 'true' || value === 'false' ? value === 'true' : value;
}

/** Replaces each placeholder that has a value by that value, encoded by `encode`. */
export function filled(text: string, values: ReadonlyMap<string, string>, encode = (value: string) => value): string {
  return text.replaceAll(placeholder, (whole, name) => {
    const value = values.get(name);
    return value === undefined ? whole : encode(value);
  });
}

/** Returns every text of a request that can contain a placeholder. */
export function textsOf(request: MappedRequest): string[] {
  return [...plainTextsOf(request), ...Object.values(request.headers ?? {}), ...textsInJson(request.json)];
}

/** Returns the texts outside of JSON and headers. */
export function plainTextsOf({ path, query, form }: MappedRequest): string[] {
  return [path, ...[query, form].flatMap(fields => Object.values(fields ?? {}))];
}

export function textsInJson(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsInJson) : [];
}

/** One step of a path: a key, an index, or every element. */
type PathStep = { readonly key: string } | { readonly index: number } | 'all';

/** A small part of JSONPath (RFC 9535): `$`, `.name`, `['any name']`, `[0]`, `[*]`. */
export type JsonPath = readonly PathStep[];

const piece = /\.([A-Za-z_$][\w$-]*)|\['([^'\\]+)'\]|\["([^"\\]+)"\]|\[(\d{1,6})\]|\[(\*)\]|\.(\*)/y;

/** Parses a path; undefined when the text is no such path. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (!text.startsWith('$')) return undefined;
  const steps: PathStep[] = [];
  piece.lastIndex = 1;
  for (let at = 1; at < text.length; at = piece.lastIndex) {
    piece.lastIndex = at;
    const found = piece.exec(text);
    if (found === null) return undefined;
    const [, dotted, quoted, doubleQuoted, index] = found;
    const key = dotted ?? quoted ?? doubleQuoted;
    if (key !== undefined) steps.push({ key });
    else steps.push(index === undefined ? 'all' : { index: Number(index) });
  }
  return steps;
}

/**
 * Returns the values at a path, in order. `[*]` on an empty list gives an empty list. Returns undefined when a step of
 * the path has no value: missing data must not pass for an empty cart.
 */
export function valuesAt(value: unknown, path: JsonPath): readonly unknown[] | undefined {
  let found: unknown[] = [value];
  for (const step of path) {
    const next = found.map(each => valuesBelow(each, step));
    if (next.some(each => each === undefined)) return undefined;
    found = next.flatMap(each => each ?? []);
  }
  return found;
}

/** Returns the values one step below; undefined when there is no such step. */
function valuesBelow(value: unknown, step: PathStep): readonly unknown[] | undefined {
  if (step === 'all') return Array.isArray(value) ? value : undefined;
  if ('index' in step) return Array.isArray(value) && step.index < value.length ? [value[step.index]] : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, step.key) ? [Reflect.get(value, step.key)] : undefined;
}

/** Says at which step the path has no value; undefined when it leads to the end. */
export function explainMissingAt(value: unknown, path: JsonPath): string | undefined {
  let found: unknown[] = [value];
  let walked = '$';
  for (const step of path) {
    for (const each of found) {
      if (valuesBelow(each, step) === undefined) return `${walked} is ${kindOf(each)}, which has no ${nameOf(step)}`;
    }
    found = found.flatMap(each => valuesBelow(each, step) ?? []);
    walked += nameOf(step);
  }
  return undefined;
}

function nameOf(step: PathStep): string {
  if (step === 'all') return '[*]';
  return 'index' in step ? `[${step.index}]` : `.${step.key}`;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== 'object' || value === null) return `${value === null ? 'null' : typeof value}`;
  return `a map with the keys ${Object.keys(value).slice(0, 10).join(', ') || '(none)'}`;
}
