import type { OperationKind } from '../../history/records.js';
import type { AnonymousConditions, AnswerConditions } from './answer-conditions.js';

/**
 * Mapping of an app in a scenario file: the request of each step, and where its answers hold the values. Plain data:
 * `scenario/journey.ts` reads it from the file, and `users/mapped-journey.ts` turns it into a journey.
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
  /** Read only from the answers of this step and of its `before` request. */
  readonly from?: StepKind | undefined;
  /** The name of a cookie whose value is used. */
  readonly cookie?: string | undefined;
  /** The name of a header of the answer. A `regexp` beside it searches only this header. */
  readonly header?: string | undefined;
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
export type JsonType = 'number' | 'boolean';

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
