import type { OperationKind } from '../../history/records.js';
import type { AnonymousConditions, AnswerConditions } from './answer-conditions.js';

/**
 * A journey spelled out in a scenario file: which requests of an app are which step, and how its answers are read. Plain
 * data; `users/mapped-journey.ts` makes a journey of it, `scenario/journey.ts` reads it from the file.
 */
export interface JourneyMapping {
  readonly login: MappedStep;
  readonly add: MappedStep;
  readonly read: MappedStep & { readonly items: ItemsPlace };
  readonly remove?: MappedStep | undefined;
  readonly whoami?: MappedStep | undefined;
  readonly logout?: MappedStep | undefined;
  /** How the app answers a request without a login. */
  readonly anonymous: AnonymousConditions;
  /** What answers give to be carried, by the name that stands for it in requests. */
  readonly carry: Readonly<Record<string, CarriedPlace>>;
}

export const stepKinds = ['login', 'add', 'read', 'remove', 'whoami', 'logout'] as const;
export type StepKind = (typeof stepKinds)[number];

export interface MappedStep {
  /** Asked for right before, for what its answer gives to carry. */
  readonly before?: MappedRequest | undefined;
  readonly request: MappedRequest;
  /** Without a status: 200 to 399. */
  readonly ok?: AnswerConditions | undefined;
  readonly who?: WhoPlace | undefined;
}

/** Texts in which `{user}`, `{token}` and the names under `carry` stand for what is known when it is sent. */
export interface MappedRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly form?: Readonly<Record<string, string>> | undefined;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** `path`: in JSON. `regexp`: in any text, its first group; `/regexp/m` gives it flags. */
export interface TextPlace {
  readonly path?: string | undefined;
  readonly regexp?: string | undefined;
}

/** With a `regexp` a second group is the quantity. */
export interface ItemsPlace extends TextPlace {
  readonly quantity?: string | undefined;
}

/** `as`: the name as the app writes it, `{user}@example.com`. */
export interface WhoPlace extends TextPlace {
  readonly as?: string | undefined;
}

export interface CarriedPlace extends TextPlace {
  /** Only from the answers of this step and of the page before it. */
  readonly from?: StepKind | undefined;
  /** The value of a cookie. */
  readonly cookie?: string | undefined;
}

/** The step of the mapping that an operation is: a replay reads. */
export function stepOf(mapping: JourneyMapping, kind: OperationKind): MappedStep | undefined {
  return mapping[kind === 'replay' ? 'read' : kind];
}

const placeholder = /\{([a-z][a-z0-9-]*)\}/g;

export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(placeholder)].map(([, name = '']) => name);
}

/** Each placeholder that `values` knows replaced by its value, as `encode` writes it. */
export function filled(text: string, values: ReadonlyMap<string, string>, encode = (value: string) => value): string {
  return text.replaceAll(placeholder, (whole, name) => {
    const value = values.get(name);
    return value === undefined ? whole : encode(value);
  });
}

/** Every text of a request in which a placeholder may stand. */
export function textsOf({ path, query, form, json, headers }: MappedRequest): string[] {
  return [path, ...[query, form, headers].flatMap(fields => Object.values(fields ?? {})), ...textsInJson(json)];
}

function textsInJson(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsInJson) : [];
}
