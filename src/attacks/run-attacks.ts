import { setTimeout as sleep } from 'node:timers/promises';
import { type ModeName, modeNames } from '../modes.js';
import { Interrupted, rejectOnAbort } from '../simulator/errors.js';
import { type Attack, type AttackResult, probesIn, weakVariantsOf } from './attack.js';
import type { Finding } from './finding.js';
import type { System, SystemSpec } from './start-system.js';
import { Inconclusive } from './tools/browser.js';
import { mapConcurrently } from './tools/map-concurrently.js';
import type { Target } from './tools/target.js';
import { type WeakVariant, type WeakVariantName, weakVariantNames, weakVariants } from './weak-variants.js';

/** Systems at the same time: one starts while another is attacked. */
const systemsAtOnce = 2;
/** Attacks at the same time on one system; more would delay every answer. */
const attacksAtOnce = 4;
const attackWithinMs = 60_000;

interface AttackRun {
  readonly attacks: Readonly<Record<string, Attack>>;
  readonly systems: readonly PlannedSystem[];
  readonly start: (system: PlannedSystem) => Promise<System>;
  readonly signal: AbortSignal;
  /** Called without findings before a system starts, and with all its findings after it has stopped. */
  readonly onProgress: (system: PlannedSystem, findings: readonly Finding[] | undefined) => void;
}

/**
 * Runs the planned attacks and returns the findings in the order of the plan.
 *
 * start a system -> concurrent attacks -> attacks that affect every user, one by one, healing after each -> stop
 *
 * Rejects with `LabError` when a system does not start, and with `Interrupted` when the signal is aborted. It stops
 * every system first. An attack that throws is a finding with the outcome `inconclusive`.
 */
export async function runAttacks(run: AttackRun): Promise<readonly Finding[]> {
  const found = await mapConcurrently(run.systems, systemsAtOnce, async system => {
    if (run.signal.aborted) throw new Interrupted();
    run.onProgress(system, undefined);
    const findings = await runOn(system, run);
    run.onProgress(system, findings);
    return findings;
  });
  return found.flat();
}

async function runOn(planned: PlannedSystem, run: AttackRun): Promise<readonly Finding[]> {
  const system = await run.start(planned);
  try {
    return await rejectOnAbort(attackAll(planned, system, run), run.signal);
  } finally {
    await system.stop();
  }
}

async function attackAll(planned: PlannedSystem, system: System, { attacks }: AttackRun): Promise<Finding[]> {
  const chosen = planned.attacks.flatMap(name => {
    const attack = attacks[name];
    return attack === undefined ? [] : [{ name, attack }];
  });
  const found = new Map<string, Finding['result']>();
  const beside = chosen.filter(({ attack }) => attack.alone !== true);
  await mapConcurrently(beside, attacksAtOnce, async ({ name, attack }) => {
    found.set(name, await resultOf(attack, system.target, planned));
  });
  for (const { name, attack } of chosen.filter(({ attack }) => attack.alone === true)) {
    found.set(name, await resultOf(attack, system.target, planned));
    await system.heal();
  }
  const { mode, variantName: variant } = planned;
  return chosen.flatMap(({ name, attack }) => {
    const result = found.get(name);
    const mustSucceed = variant === undefined ? [] : probesIn(attack, variant);
    return result === undefined ? [] : [{ attack: name, mode, variant, mustSucceed, result }];
  });
}

async function resultOf(attack: Attack, target: Target, { variant }: PlannedSystem): Promise<Finding['result']> {
  const timer = new AbortController();
  const limit = sleep(attackWithinMs, undefined, { signal: timer.signal }).then(() => {
    throw new Inconclusive(`it was not over after ${attackWithinMs / 1000} s`);
  });
  try {
    const result = await Promise.race([attack.run(target), limit]);
    return variant === undefined ? markKnownLimit(attack, target, result) : result;
  } catch (error) {
    return { outcome: 'inconclusive', reason: describeFailure(error) };
  } finally {
    limit.catch(() => undefined);
    timer.abort();
  }
}

/** Reports a success by design as a known limit. A limit that is declared and does not show is an error in the docs. */
function markKnownLimit({ knownLimit }: Attack, { strategy }: Target, result: AttackResult): Finding['result'] {
  if (knownLimit?.strategies.includes(strategy) !== true) return result;
  if (result.outcome === 'succeeded') return { ...result, outcome: 'known limit', reason: knownLimit.reason };
  const reason = `expected the known limit "${knownLimit.reason}", but it was ${result.outcome}: remove the limit`;
  return { outcome: 'inconclusive', reason };
}

/** Returns the reason of a failure. Any error but `Inconclusive` is a bug of the attack, so its stack is included. */
function describeFailure(error: unknown): string {
  if (error instanceof Inconclusive) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** One system to start, and the attacks to run on it: keys of the registry. */
export interface PlannedSystem extends SystemSpec {
  readonly variantName: WeakVariantName | undefined;
  readonly attacks: readonly string[];
}

type Attacks = Readonly<Record<string, Attack>>;

/**
 * Plans the systems: first every mode at full strength with every attack. Then each weak variant of these modes, with
 * the attacks that must succeed there. Attacks that need short limits run on a separate system.
 */
export function planSystems(modes: readonly ModeName[], attacks: Attacks): readonly PlannedSystem[] {
  const strong = modes.map(mode => ({ mode, variantName: undefined, variant: undefined, names: Object.keys(attacks) }));
  const weak = weakVariantNames.map(variantName => {
    const variant: WeakVariant = weakVariants[variantName];
    return { mode: variant.mode, variantName, variant, names: selectAttacks(variantName, attacks) };
  });
  return [...strong, ...weak.filter(({ mode }) => modes.includes(mode))].flatMap(({ names, ...system }) =>
    [false, true].flatMap(shortLimits => {
      const wanted = names.filter(name => (attacks[name]?.shortLimits ?? false) === shortLimits);
      return wanted.length === 0 ? [] : [{ ...system, shortLimits, attacks: wanted }];
    }),
  );
}

function selectAttacks(variant: WeakVariantName, attacks: Attacks): string[] {
  return Object.entries(attacks).flatMap(([name, attack]) => (probesIn(attack, variant).length > 0 ? [name] : []));
}

/** Lists the modes to select so that this attack also runs where it must succeed. */
export function weakModesOf(attack: Attack): readonly ModeName[] {
  const wanted = weakVariantsOf(attack).map((name): ModeName => weakVariants[name].mode);
  return modeNames.filter(mode => wanted.includes(mode));
}
