import { type ModeName, modeNames } from '../modes.js';
import { type Attack, probesIn, weakVariantsOf } from './attack.js';
import type { SystemSpec } from './start-system.js';
import { type WeakVariant, type WeakVariantName, weakVariantNames, weakVariants } from './weak-variants.js';

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
