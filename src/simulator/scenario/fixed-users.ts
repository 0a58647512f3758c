import * as z from 'zod';
import { durationPattern, formatDuration, parseDuration } from '../../shared/duration.js';
import { checkUsers, type PlanLimits, PlanProblem } from '../plan/plan-checks.js';
import type { PlannedStep, PlannedUser } from '../plan/planned-user.js';
import { stepKinds } from './journey/mapping.js';
import { sayExpected, text } from './values.js';
import { field, isMap, type Problem, read } from './yaml.js';

/**
 * `users.plan` of a scenario file: what each user does, at fixed times of the run.
 *
 *     plan:
 *       user-1: [0ms login, 120ms add item-1, 1.5s read, 1.6s read beside, 2s remove item-1, 2.5s logout]
 *
 * `beside`: in another tab, so that the next step does not wait for it. `slow 50ms`: the toy shop takes that long.
 */
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

export const fixedUsers = z
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

/** Finds users that no run can follow, arrivals beside them, and a file with neither. */
export function fixedUserProblems(file: unknown, endMs: number | undefined): Problem[] {
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
