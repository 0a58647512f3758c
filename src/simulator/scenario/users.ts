import * as z from 'zod';
import { durationPattern, formatDuration, parseDuration } from '../../shared/units.js';
import { arrivalTimes, describeTooFewNames, userNamePattern } from '../plan/plan.js';
import { checkUsers, type PlanLimits, PlanProblem } from '../plan/plan-checks.js';
import type { PlannedStep, PlannedUser } from '../plan/planned-user.js';
import { journey } from './journey/journey.js';
import { type StepKind, stepKinds } from './journey/mapping.js';
import { cookieName, duration, map, oneOf, rate, sayExpected, text, wholeNumber } from './values.js';
import { field, isMap, type Problem, read } from './yaml.js';

/** Schema of `users` in a scenario file: when users arrive, their names, and what they do. */

const item = String.raw`[A-Za-z0-9][\w.-]{0,63}`;
const [withItem, withoutItem] = [stepKinds.filter(hasItem), stepKinds.filter(kind => !hasItem(kind))];
const stepPattern = new RegExp(
  String.raw`^(?<at>${durationPattern})\s+(?:(?<write>${withItem.join('|')})\s+(?<item>${item})|(?<kind>${withoutItem.join('|')}))(?<beside>\s+beside)?(?:\s+slow\s+(?<slow>${durationPattern}))?$`,
);

function hasItem(kind: string): boolean {
  return kind === 'add' || kind === 'remove';
}

const step = text(
  `a step such as "120ms add item-1": a time of the run, and one of ${stepKinds.join(', ')}`,
  stepPattern,
)
  .transform(parseStep)
  .describe('A time of the run, a step, its item, "beside" for another tab, and "slow 50ms" for a slow toy shop.');

/**
 * `users.plan` of a scenario file: what each user does, at fixed times of the run.
 *
 *     plan:
 *       user-1: [0ms login, 120ms add item-1, 1.5s read, 1.6s read beside, 2s remove item-1, 2.5s logout]
 *
 * `beside`: in another tab, so that the next step does not wait for it. `slow 50ms`: the toy shop takes that long.
 */
const fixedUsers = z
  .record(z.string(), z.array(step, { error: sayExpected('a list of steps such as [0ms login, 120ms add item-1]') }), {
    error: sayExpected('a map of users, each with its steps'),
  })
  .transform(users => Object.entries(users).map(([name, steps]): PlannedUser => ({ name, steps })))
  .optional()
  .describe('What each user does, at fixed times of the run. It replaces arrivals, names, think, mix and tabs.');

function parseStep(written: string): PlannedStep {
  const { at = '', write, item: token, kind, beside, slow } = stepPattern.exec(written)?.groups ?? {};
  const found = stepKinds.find(known => known === (write ?? kind)) ?? 'login';
  return {
    atMs: parseDuration(at) ?? 0,
    kind: found,
    ...(token !== undefined && { token }),
    ...(beside !== undefined && { beside: true as const }),
    ...(slow !== undefined && { slowMs: parseDuration(slow) ?? 0 }),
  };
}

/** Returns users as a scenario file writes them: the inverse of `fixedUsers`. */
export function formatUsers(users: readonly PlannedUser[]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(users.map(({ name, steps }) => [name, steps.map(formatStep)]));
}

function formatStep({ atMs, kind, token, beside, slowMs }: PlannedStep): string {
  const slow = slowMs === undefined ? undefined : `slow ${formatDuration(slowMs)}`;
  return [formatDuration(atMs), kind, token, beside && 'beside', slow].filter(part => part !== undefined).join(' ');
}

/** Returns arrivals that describe such users, for what reads only arrivals. */
export function arrivalsOf(users: readonly PlannedUser[]) {
  const lastMs = Math.max(0, ...users.map(({ steps }) => steps[0]?.atMs ?? 0));
  const forMs = lastMs + 1;
  return { ratePerSecond: (1_000 * users.length) / forMs, forMs, process: 'uniform' as const, maxActive: users.length };
}

/** Most tabs. A browser opens at most six connections to one server. */
const tabsMax = 6;
const weightMax = 1_000;

const notNames = sayExpected(
  'a pattern such as "shopper{n}@example.com" or a list of names: up to 64 letters, digits and . _ - @ +',
);
const names = z
  .union(
    [
      text('', /^[^{}]*\{n\}[^{}]*$/).refine(pattern => userNamePattern.test(pattern.replace('{n}', '100000')), {
        error: notNames,
      }),
      z
        .array(text('a name of up to 64 letters, digits and . _ - @ +', userNamePattern))
        .refine(list => list.length > 0, { error: 'expected at least one name' })
        .refine(list => new Set(list).size === list.length, { error: 'found a name twice, expected each once' }),
    ],
    { error: issue => (Array.isArray(issue.input) ? '' : notNames(issue)) },
  )
  .optional()
  .describe('Names of existing accounts of the app: a pattern with {n}, or a list. Default: user-{n}.');

const weight = (min: 0 | 1) => {
  const error = sayExpected(`a weight ${min === 0 ? 'from' : 'above'} 0, at most ${weightMax}`);
  const number = z.number({ error });
  return (min === 0 ? number.min(0, { error }) : number.gt(0, { error })).max(weightMax, { error });
};

const mix = map('users.mix', {
  add: weight(1),
  read: weight(1),
  remove: weight(0).optional(),
  whoami: weight(0).optional(),
  logout: weight(0).optional(),
})
  .optional()
  .describe('Weights of the steps of a user after login. A step that is left out is not done.');

export const users = map('users', {
  plan: fixedUsers,
  arrivals: map('users.arrivals', {
    rate: rate.describe('New users per second.'),
    for: duration().describe('How long new users arrive, from the start of the run.'),
    process: oneOf('process', ['poisson', 'uniform']).default('poisson'),
    'max-active': wholeNumber(1, 100_000)
      .default(400)
      .describe('Most users. Users stay to the end, so no more than these ever arrive.'),
  })
    .optional()
    .describe('When new users arrive. Required without users.plan.'),
  names,
  think: map('users.think', { median: duration(), p95: duration() })
    .refine(({ median, p95 }) => p95 >= median, { error: 'expected p95 to be at least the median', path: ['p95'] })
    .prefault({ median: '250ms', p95: '1s' })
    .describe('Log-normal time between two steps of one user.'),
  mix,
  tabs: wholeNumber(1, tabsMax)
    .default(1)
    .describe('Number of tabs of a browser. With several, all tabs sometimes add an item at once, and then one reads.'),
  'slow-at-logout': duration()
    .optional()
    .describe(
      'At every logout another tab has an add under way. The toy shop is asked to take this long for the add; your own app gets it right before the logout.',
    ),
  'replay-every': duration()
    .optional()
    .describe(
      'After a logout the old session is tried this often for a second, or for the revocation delay of the mode if that is longer. Then revocationLagMs is measured. Default: once, after the revocation delay.',
    ),
  timeout: duration().prefault('5s').describe('Time after which a user stops waiting for an answer.'),
  'browser-cookie': cookieName
    .optional()
    .describe(
      'A cookie that each browser has from its first request on, with the name of its user. A proxy can hash it: system.proxy.hash-key.',
    ),
  cookie: cookieName
    .optional()
    .describe('The cookie in which your own app keeps its session. With it, users.sessionKept is measured.'),
  journey: journey.default('shop').describe('"shop" for the toy shop, or the requests of your own app.'),
});

/** Finds problems between parts of `users`, which no single value shows. `endMs`: the end of the recovery. */
export function userProblems(file: unknown, endMs: number | undefined): Problem[] {
  const written = field(file, 'users');
  return [
    ...fixedUserProblems(file, endMs),
    ...mixProblems(written),
    ...cookieProblems(written),
    ...nameProblems(written, seedOf(file), endMs),
  ];
}

function seedOf(file: unknown): number {
  const seed = field(file, 'seed');
  return typeof seed === 'number' ? seed : 1;
}

function mixProblems(written: unknown): Problem[] {
  const [mapping, weights] = [field(written, 'journey'), field(written, 'mix')];
  if (!isMap(mapping) || !isMap(weights)) return [];
  const lacking = Object.keys(weights).filter(kind => isStep(kind) && mapping[kind] === undefined);
  return lacking.map(kind => ({
    path: ['users', 'mix', kind],
    message: `found ${kind}, but users.journey has no step ${kind}: add it there, or remove it here`,
    at: 'key',
  }));
}

function isStep(name: string): name is StepKind {
  return stepKinds.some(kind => kind === name);
}

function cookieProblems(written: unknown): Problem[] {
  if (field(written, 'cookie') === undefined || isMap(field(written, 'journey'))) return [];
  const message = 'found cookie beside the journey shop, whose session cookie is known: remove it';
  return [{ path: ['users', 'cookie'], message, at: 'key' }];
}

/** Finds too few names for the seed of the file. Another seed can bring more users; the plan then says the same. */
function nameProblems(written: unknown, seed: number, endMs: number | undefined): Problem[] {
  const list = field(written, 'names');
  const arrivals = read(users.shape.arrivals, field(written, 'arrivals'));
  if (!Array.isArray(list) || arrivals === undefined || endMs === undefined) return [];
  const { rate: ratePerSecond, for: forMs, process, 'max-active': maxActive } = arrivals;
  const come = arrivalTimes({ ratePerSecond, forMs, process, maxActive }, endMs, seed).length;
  if (come <= list.length) return [];
  return [{ path: ['users', 'names'], message: describeTooFewNames(list.length, come) }];
}

/** Finds users that no run can follow, arrivals beside them, and a file with neither. */
function fixedUserProblems(file: unknown, endMs: number | undefined): Problem[] {
  const written = field(file, 'users');
  const [plan, arrivals] = [field(written, 'plan'), field(written, 'arrivals')];
  if (!isMap(written)) return [];
  if (plan === undefined) {
    const message = 'users.arrivals is missing, expected a map with the keys rate, for, process, max-active';
    return arrivals === undefined ? [{ path: ['users', 'arrivals'], message }] : [];
  }
  const beside = ['arrivals', 'names', 'mix', 'tabs', 'slow-at-logout'].find(key => field(written, key) !== undefined);
  if (beside !== undefined) {
    const message = `found ${beside} beside users.plan, which says everything that users do: remove one of the two`;
    return [{ path: ['users', beside], message, at: 'key' }];
  }
  const users = read(fixedUsers, plan);
  if (users === undefined || endMs === undefined) return [];
  return explainUsers(users, { endMs, can: canIn(field(written, 'journey')) });
}

function canIn(journey: unknown): PlanLimits['can'] {
  return kind => !isMap(journey) || field(journey, kind) !== undefined;
}

function explainUsers(users: readonly PlannedUser[], limits: PlanLimits): Problem[] {
  if (users.length === 0) return [{ path: ['users', 'plan'], message: 'found no user, expected at least one' }];
  try {
    checkUsers(users, limits);
    return [];
  } catch (error) {
    if (!(error instanceof PlanProblem)) throw error;
    return [{ path: ['users', 'plan'], message: error.message }];
  }
}
