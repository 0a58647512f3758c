import {
  type ExpectationLine,
  type ExpectedEffect,
  type FaultRecord,
  type LabRecord,
  type MemberRecord,
  type NotBack,
  type Operation,
  type OperationKind,
  type OperationOutcome,
  type PhaseName,
  type PhaseRecord,
  phaseNames,
  type RunHeader,
  type SystemRecord,
} from './records.js';

/** One line of a history file. */
export type HistoryLine = RunHeader | Operation | PhaseRecord | FaultRecord | MemberRecord | LabRecord;

/** Says what is wrong with a line, in a sentence without file and line number. */
export class LineProblem extends Error {}

/** The values that a field may have, and how to describe them. Hand-written for speed: a million lines go through
 * here. */
interface Rule<T> {
  readonly expected: string;
  readonly accepts: (value: unknown) => value is T;
}

/** One rule for every field of T. If a new field of the history has no rule here, the code does not compile. */
type Rules<T> = { readonly [Field in keyof T]-?: Rule<T[Field]> };

export const kinds: readonly OperationKind[] = ['login', 'add', 'remove', 'read', 'whoami', 'logout', 'replay'];
export const outcomes: readonly OperationOutcome[] = ['ok', 'fail', 'unknown'];

/** Eleven days. No run is that long, and no plot shows later times. */
const millisecondsMax = 1_000_000_000;

const text = rule('a string', (value): value is string => typeof value === 'string');
const name = rule('a string that is not empty', (value): value is string => typeof value === 'string' && value !== '');
const count = rule('an integer from 0', isCount);
const milliseconds = rule('milliseconds, a number from 0 to 1000000000', isMilliseconds);
const maybeMilliseconds = rule(
  'milliseconds, a number from 0 to 1000000000, or null',
  (value): value is number | null => value === null || isMilliseconds(value),
);
const texts = rule(
  'a list of strings',
  (value): value is string[] => Array.isArray(value) && value.every(text.accepts),
);
const expectations = rule(
  'a list of strings and of objects such as {"warn":"writes.stale == 0"}',
  (value): value is ExpectationLine[] => Array.isArray(value) && value.every(isExpectationLine),
);
const textsByName = rule(
  'an object of strings',
  (value): value is Record<string, string> => isObject(value) && Object.values(value).every(text.accepts),
);
const moments = rule(
  'a list of milliseconds',
  (value): value is number[] => Array.isArray(value) && value.every(isMilliseconds),
);
const countsByName = rule(
  'an object of objects of integers from 0',
  (value): value is Record<string, Record<string, number>> =>
    isObject(value) && Object.values(value).every(each => isObject(each) && Object.values(each).every(isCount)),
);
const nameOrNull = rule(
  'a string or null',
  (value): value is string | null => value === null || typeof value === 'string',
);
const lag = rule(
  'an object of p50, p99 and max in milliseconds',
  (value): value is LabRecord['lagMs'] => isObject(value) && [value.p50, value.p99, value.max].every(isMilliseconds),
);

const trueOrFalse = rule('true or false', (value): value is boolean => typeof value === 'boolean');
const notBack = rule(
  'a list of objects of member and why',
  (value): value is NotBack[] =>
    Array.isArray(value) && value.every(each => isObject(each) && text.accepts(each.member) && text.accepts(each.why)),
);
const roles: readonly unknown[] = ['backend', 'proxy', 'store'];
const system = rule(
  'an object of members, keeps, stores and affinity, with optional texts proxy and proxyAsked',
  (value): value is SystemRecord =>
    isObject(value) &&
    Array.isArray(value.members) &&
    value.members.every(each => isObject(each) && name.accepts(each.name) && roles.includes(each.role)) &&
    ['backend', 'store', 'browser'].some(keeps => keeps === value.keeps) &&
    texts.accepts(value.stores) &&
    (value.policy === undefined || name.accepts(value.policy)) &&
    trueOrFalse.accepts(value.affinity) &&
    (value.ejectionsUnseen === undefined || value.ejectionsUnseen === true) &&
    [value.proxy, value.proxyAsked].every(each => each === undefined || text.accepts(each)),
);
/** The names that each kind of effect must have. */
const effectFields: { readonly [Kind in ExpectedEffect['kind']]: readonly string[] } = {
  silent: ['member'],
  answered: ['member'],
  slow: ['member'],
  broken: ['member'],
  version: ['version'],
  keys: [],
  asked: ['store'],
  'link-bytes': ['link'],
  'confirm-changed': [],
};
const effect = rule('an effect such as {"kind":"silent","member":"backend-1"}', (value): value is ExpectedEffect => {
  if (!isObject(value) || typeof value.kind !== 'string' || !isEffectKind(value.kind)) return false;
  const { kind, atLeastMs, whileDown, orConfirmed, ...names } = value;
  return (
    effectFields[kind].every(field => name.accepts(names[field])) &&
    Object.values(names).every(name.accepts) &&
    (atLeastMs === undefined || isMilliseconds(atLeastMs)) &&
    [whileDown, orConfirmed].every(flag => flag === undefined || flag === true)
  );
});

const operationRules: Rules<Operation> = {
  type: only('operation'),
  id: count,
  user: name,
  kind: oneOf(kinds),
  session: count,
  token: optional(name),
  plannedMs: milliseconds,
  sentMs: milliseconds,
  doneMs: milliseconds,
  outcome: oneOf(outcomes),
  status: optional(count),
  error: optional(text),
  identity: optional(nameOrNull),
  items: optional(texts),
  backend: optional(text),
  incarnation: optional(text),
  version: optional(text),
  proxy: optional(text),
  key: optional(text),
  final: optional(only(true)),
  extra: optional(only(true)),
  keptId: optional(only(true)),
  renewed: optional(only(true)),
};

const headerRules: Rules<RunHeader> = {
  type: only('run'),
  schema: only(1),
  scenario: text,
  why: text,
  mode: name,
  seed: rule('a number', (value): value is number => Number.isFinite(value)),
  revocationLagMs: optional(milliseconds),
  nonce: optional(name),
  system: optional(system),
  planned: count,
  faults: texts,
  expectations,
  versions: textsByName,
  startedAt: text,
  live: optional(only(true)),
};

const phaseRules: Rules<PhaseRecord> = {
  type: only('phase'),
  phase: oneOf<PhaseName>(phaseNames),
  startMs: milliseconds,
  endMs: milliseconds,
};

const faultRules: Rules<FaultRecord> = {
  type: only('fault'),
  id: name,
  fault: name,
  target: name,
  options: optional(rule('an object of options', isObject)),
  requestedMs: milliseconds,
  confirmedMs: maybeMilliseconds,
  healRequestedMs: optional(maybeMilliseconds),
  healedMs: maybeMilliseconds,
  expects: optional(effect),
  measured: optional(count),
  wasConfirmedBefore: optional(trueOrFalse),
  struck: optional(text),
  notBack: optional(notBack),
  evidence: optional(text),
  problem: optional(text),
};

const memberRules: Rules<MemberRecord> = {
  type: only('member'),
  member: name,
  atMs: milliseconds,
  state: oneOf(['up', 'draining', 'ejected', 'stopped', 'dead']),
  role: optional(name),
};

const labRules: Rules<LabRecord> = {
  type: only('lab'),
  lagMs: lag,
  busyMs: optional(milliseconds),
  dropped: count,
  droppedMs: optional(moments),
  droppedWaitMs: optional(moments),
  neverStruck: optional(textsByName),
  counts: optional(countsByName),
};

/** Parses one line of JSON by its `type`. Throws a `LineProblem` that says what was expected instead. */
export function parseHistoryLine(json: string): HistoryLine {
  const value = parseObject(json);
  switch (value.type) {
    case 'operation':
      assertFields(value, operationRules);
      assertConsistent(value);
      return value;
    case 'run':
      assertFields(value, headerRules);
      return value;
    case 'phase':
      assertFields(value, phaseRules);
      return value;
    case 'fault':
      assertFields(value, faultRules);
      return value;
    case 'member':
      assertFields(value, memberRules);
      return value;
    case 'lab':
      assertFields(value, labRules);
      return value;
    default:
      throw new LineProblem(
        `unknown type ${shorten(value.type)}, expected run, phase, fault, member, operation or lab`,
      );
  }
}

function parseObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (isObject(value)) return value;
  } catch {
    throw new LineProblem(`no JSON, or cut off: ${shorten(json)}`);
  }
  throw new LineProblem(`expected an object, found ${shorten(json)}`);
}

function assertFields<T extends object>(
  value: Record<string, unknown>,
  rules: Rules<T>,
): asserts value is Record<string, unknown> & T {
  for (const field in rules) {
    if (rules[field].accepts(value[field])) continue;
    throw new LineProblem(`${field}: expected ${rules[field].expected}, found ${shorten(value[field])}`);
  }
}

/** Asserts that the fields of an operation agree with each other, as the checker expects. */
function assertConsistent({ kind, outcome, token, items, plannedMs, sentMs, doneMs }: Operation): void {
  if (sentMs < plannedMs) throw new LineProblem(`sentMs ${sentMs} is before plannedMs ${plannedMs}`);
  if (doneMs < sentMs) throw new LineProblem(`doneMs ${doneMs} is before sentMs ${sentMs}`);
  const isWrite = kind === 'add' || kind === 'remove';
  if (isWrite && token === undefined)
    throw new LineProblem(`token: expected one, since this is an operation "${kind}"`);
  if (kind === 'read' && outcome === 'ok' && items === undefined) {
    throw new LineProblem('items: expected the cart, since this is a read that ended ok');
  }
}

function rule<T>(expected: string, accepts: (value: unknown) => value is T): Rule<T> {
  return { expected, accepts };
}

function only<T extends string | number | boolean>(wanted: T): Rule<T> {
  return rule(JSON.stringify(wanted), (value): value is T => value === wanted);
}

function oneOf<T extends string>(wanted: readonly T[]): Rule<T> {
  const known: ReadonlySet<unknown> = new Set(wanted);
  return rule(`one of ${wanted.join(', ')}`, (value): value is T => known.has(value));
}

function optional<T>({ expected, accepts }: Rule<T>): Rule<T | undefined> {
  return rule(`${expected}, or nothing`, (value): value is T | undefined => value === undefined || accepts(value));
}

function isEffectKind(kind: string): kind is ExpectedEffect['kind'] {
  return Object.hasOwn(effectFields, kind);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isExpectationLine(value: unknown): value is ExpectationLine {
  return text.accepts(isObject(value) && Object.keys(value).length === 1 ? value.warn : value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isMilliseconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= millisecondsMax;
}

function shorten(value: unknown): string {
  const json = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  const start = json.length > 60 ? `${json.slice(0, 60)}...` : json;
  return typeof value === 'string' ? `"${start}"` : start;
}
