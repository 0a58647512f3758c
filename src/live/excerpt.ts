import { isDeepStrictEqual } from 'node:util';
import { isModeName, type ModeName } from '../modes.js';
import { count, seconds } from '../report/numbers.js';
import { check } from '../simulator/checker/check.js';
import type { Findings } from '../simulator/checker/findings.js';
import { isStoreServer, serverOf } from '../simulator/cluster/stores/registry.js';
import { endsOf, kindOf, membersIn, resolveTargetName } from '../simulator/cluster/targets.js';
import {
  type FaultRecord,
  type LabRecord,
  type ListedRun,
  lastMomentOf,
  type Operation,
  type RunRecord,
} from '../simulator/history/records.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { scenarioParts } from '../simulator/scenario/schema.js';
import { phaseMsMax } from '../simulator/scenario/values.js';
import { entriesMax, read } from '../simulator/scenario/yaml.js';

/** One strike of a live session, as a scenario file repeats it. */
export interface RepeatedStrike {
  readonly record: FaultRecord;
  /** Time after the start of the faults phase. */
  readonly atMs: number;
  /** Time from confirmation to healing. Undefined: it lasts until the faults phase ends. */
  readonly forMs: number | undefined;
  /** The same target in words that fit other modes, too: `store` instead of `redis`. */
  readonly anyModeTarget: string;
  /** Nothing is known of the time right after it: the history was cut later, or a store was not healed. */
  readonly isHalfSeen: boolean;
}

/** The part of one side of a live session that a scenario file can repeat. */
export interface Excerpt {
  readonly mode: ModeName;
  readonly seed: number;
  readonly startedAt: string;
  readonly findings: Findings;
  readonly strikes: readonly RepeatedStrike[];
  /** Time of the session at which the faults phase of the file begins. */
  readonly faultsFromMs: number;
  readonly endMs: number;
  /** Sentences that say what the file leaves out, and why. */
  readonly leftOut: readonly string[];
}

/** Takes the part of a session that a scenario file can hold. Pure. Throws `TypeError` for an unknown mode. */
export function excerptOf(run: RunRecord, findings: Findings, system: Scenario['system']): Excerpt {
  const { mode, seed, startedAt } = run.header;
  if (!isModeName(mode)) throw new TypeError(`a live session in the unknown mode ${mode}`);
  const reasons = new Map(run.faults.map(fault => [fault, explainUnrepeatable(fault)]));
  const repeatable = run.faults
    .filter(fault => reasons.get(fault) === undefined)
    .toSorted((a, b) => a.requestedMs - b.requestedMs);
  const faultsFromMs = repeatable[0]?.requestedMs ?? 0;
  const [first, last] = [repeatable.slice(0, entriesMax), repeatable[entriesMax]];
  const untilMs = Math.min(faultsFromMs + phaseMsMax, last?.requestedMs ?? Number.POSITIVE_INFINITY);
  const fitting = first.filter(({ requestedMs }) => requestedMs < untilMs);
  const late = repeatable.slice(fitting.length);
  const seen = late.length === 0 ? { run, findings } : withFindings(cutAt(run, untilMs));
  const knownFromMs = lastCutMs(seen.run);
  return {
    mode,
    seed,
    startedAt,
    findings: seen.findings,
    strikes: fitting.map(record => toStrike(record, mode, system, { faultsFromMs, untilMs, knownFromMs })),
    faultsFromMs,
    endMs: lastMomentOf(seen.run),
    leftOut: [...describeUnrepeatable(reasons), ...describeLate(late)],
  };
}

/** Returns whether the same strikes hit both sides at the same times. Pure. */
export function areStruckAlike(left: Excerpt, right: Excerpt): boolean {
  if (left.strikes.length !== right.strikes.length) return false;
  return left.strikes.every((strike, index) => {
    const other = right.strikes[index];
    return other !== undefined && isSameStrike(strike, other);
  });
}

/** Returns the target that means this strike on both sides. Undefined when no target does. Pure. */
export function commonTarget(one: RepeatedStrike, other: RepeatedStrike): string | undefined {
  if (one.record.target === other.record.target) return one.record.target;
  return one.anyModeTarget === other.anyModeTarget ? one.anyModeTarget : undefined;
}

/** A command goes to both sides at once. Each side may need some time before it begins. */
const sameMomentMs = 1_000;

function isSameStrike(one: RepeatedStrike, other: RepeatedStrike): boolean {
  const isSameKind =
    one.record.fault === other.record.fault &&
    isDeepStrictEqual(one.record.options, other.record.options) &&
    commonTarget(one, other) !== undefined;
  const [forOne = Number.POSITIVE_INFINITY, forOther = Number.POSITIVE_INFINITY] = [one.forMs, other.forMs];
  const areAsLong = forOne === forOther || Math.abs(forOne - forOther) <= 2 * sameMomentMs;
  return isSameKind && areAsLong && Math.abs(one.atMs - other.atMs) <= sameMomentMs;
}

interface Limits {
  readonly faultsFromMs: number;
  readonly untilMs: number;
  readonly knownFromMs: number;
}

function toStrike(
  record: FaultRecord,
  mode: ModeName,
  system: Scenario['system'],
  { faultsFromMs, untilMs, knownFromMs }: Limits,
): RepeatedStrike {
  const { requestedMs, confirmedMs, target } = record;
  const healMs = record.healRequestedMs ?? record.healedMs;
  const isHealed = healMs !== null && (record.healedMs ?? healMs) <= untilMs;
  return {
    record,
    atMs: Math.round(requestedMs - faultsFromMs),
    forMs: isHealed ? Math.max(0, Math.round(healMs - (confirmedMs ?? requestedMs))) : undefined,
    anyModeTarget: nameInAnyMode(target, mode, system),
    isHalfSeen: requestedMs < knownFromMs || (!isHealed && membersIn(target).every(name => kindOf(name) === 'store')),
  };
}

function nameInAnyMode(target: string, mode: ModeName, system: Scenario['system']): string {
  const [from, to = from] = endsOf(target) ?? [target];
  if (!isStoreServer(serverOf(to)) || isStoreServer(serverOf(from)) !== (from === to)) return target;
  const named = from === to ? 'store' : `${from}->store`;
  return resolveTargetName(mode, named, system) === target ? named : target;
}

/** Returns a run as it was at this moment: without what ended later. */
function cutAt(run: RunRecord, untilMs: number): RunRecord {
  const isOver = (ms: number | null | undefined): ms is number => typeof ms === 'number' && ms <= untilMs;
  return {
    ...run,
    operations: [...run.operations].filter(({ doneMs }) => doneMs <= untilMs),
    phases: run.phases
      .filter(({ startMs }) => startMs <= untilMs)
      .map(phase => ({ ...phase, endMs: Math.min(phase.endMs, untilMs) })),
    faults: run.faults
      .filter(({ requestedMs }) => requestedMs < untilMs)
      .map(fault => ({ ...fault, healedMs: isOver(fault.healedMs) ? fault.healedMs : null })),
    members: run.members.filter(({ atMs }) => atMs <= untilMs),
  };
}

function withFindings(run: RunRecord): { readonly run: RunRecord; readonly findings: Findings } {
  return { run, findings: check(run) };
}

/**
 * Returns the time from which the history of every user is complete. "Clear" forgets the earlier sessions of a user, so
 * it is the latest login with which the history of such a user begins. Returns 0 when nothing was forgotten.
 */
function lastCutMs({ operations }: RunRecord): number {
  const logins = new Map<string, Operation>();
  for (const operation of operations) {
    const { kind, outcome, user } = operation;
    if (kind === 'login' && outcome === 'ok' && !logins.has(user)) logins.set(user, operation);
  }
  const cut = [...logins.values()].filter(({ session }) => session > 1);
  return cut.reduce((latest, { sentMs }) => Math.max(latest, sentMs), 0);
}

/** Says why a scenario file cannot repeat a strike; undefined when it can. */
function explainUnrepeatable({ fault, target, options, confirmedMs, problem }: FaultRecord): string | undefined {
  if (confirmedMs === null) return `it was not confirmed${problem === undefined ? '' : ` (${problem})`}`;
  const written = { id: 'strike', at: '0s', do: fault, target, ...options };
  return read(scenarioParts.fault, written) === undefined ? 'the history does not say its options' : undefined;
}

function describeUnrepeatable(reasons: ReadonlyMap<FaultRecord, string | undefined>): string[] {
  return [...reasons].flatMap(([{ fault, target, requestedMs }, why]) =>
    why === undefined ? [] : [`${fault} of ${target} at ${seconds(requestedMs)} of the session: ${why}.`],
  );
}

/** Describes the strikes beyond the limits of a scenario file, in one sentence: a long session has many of them. */
function describeLate(late: readonly FaultRecord[]): string[] {
  const [first] = late;
  if (first === undefined) return [];
  const what = late.length === 1 ? 'one strike' : `${count(late.length)} strikes`;
  return [
    `${what} from ${seconds(first.requestedMs)} of the session on: a scenario file holds at most ${entriesMax} faults and ${phaseMsMax / 60_000} minutes of them.`,
  ];
}

/** A session that begins later than this was cut ("clear"). */
const cutAfterMs = 1_000;

/** Returns the run with its first record at time 0, if the history was cut. A report would begin with an empty part. */
export function startAtZero(run: ListedRun): ListedRun {
  const fromMs = [
    ...run.operations.map(({ plannedMs }) => plannedMs),
    ...run.faults.map(({ requestedMs }) => requestedMs),
  ].reduce((first, ms) => Math.min(first, ms), Number.POSITIVE_INFINITY);
  if (!Number.isFinite(fromMs) || fromMs < cutAfterMs) return run;
  const move = (ms: number) => Math.max(0, ms - fromMs);
  const moveAny = <T extends number | null | undefined>(ms: T) => (typeof ms === 'number' ? move(ms) : ms);
  const { header, operations, phases, faults, members, lab } = run;
  return {
    header: {
      ...header,
      why: `${header.why} The history was cleared: it begins ${seconds(fromMs)} after the start of the lab.`,
      startedAt: new Date(Date.parse(header.startedAt) + fromMs).toISOString(),
    },
    operations: operations.map(one => ({
      ...one,
      plannedMs: move(one.plannedMs),
      sentMs: move(one.sentMs),
      doneMs: move(one.doneMs),
    })),
    phases: phases
      .filter(({ endMs }) => endMs > fromMs)
      .map(phase => ({ ...phase, startMs: move(phase.startMs), endMs: move(phase.endMs) })),
    faults: faults.map(fault => ({
      ...fault,
      requestedMs: move(fault.requestedMs),
      confirmedMs: moveAny(fault.confirmedMs),
      ...(fault.healRequestedMs !== undefined && { healRequestedMs: moveAny(fault.healRequestedMs) }),
      healedMs: moveAny(fault.healedMs),
    })),
    members: members.map(member => ({ ...member, atMs: move(member.atMs) })),
    lab: moveDrops(lab, fromMs),
  };
}

function moveDrops(lab: LabRecord, fromMs: number): LabRecord {
  const { droppedMs, droppedWaitMs } = lab;
  if (droppedMs === undefined) return lab;
  const isKept = droppedMs.map(ms => ms >= fromMs);
  const kept = droppedMs.filter((_, index) => isKept[index]).map(ms => ms - fromMs);
  const waits = droppedWaitMs?.filter((_, index) => isKept[index]);
  return { ...lab, dropped: kept.length, droppedMs: kept, ...(waits !== undefined && { droppedWaitMs: waits }) };
}
