import { affinitySettings } from './settings/affinity.js';
import { backendSettings } from './settings/backends.js';
import { healthSettings } from './settings/health.js';
import { limitSettings } from './settings/limits.js';
import { operationSettings } from './settings/operation.js';
import type { Setting, ValueFormat } from './settings/setting.js';
import { tlsSettings } from './settings/tls.js';
import { whereSettings } from './settings/where.js';

/**
 * All settings of the proxy; `settings/` has a file for each heading of `--help`. The command line, `--help`, the
 * configuration file, the rules of a reload and the flags that the lab passes on are computed from this table.
 * CONTRIBUTING.md says what else a new flag needs.
 */
export const settings = {
  ...whereSettings,
  ...backendSettings,
  ...affinitySettings,
  ...healthSettings,
  ...limitSettings,
  ...tlsSettings,
  ...operationSettings,
  backends: {
    type: 'number',
    group: 'A lab to play with:',
    describe: 'how many toy backends to start (default 3)',
    chosenByLab: true,
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof settings;

/** The names of the settings whose values are read by their format, as numbers. */
export type NumberSettingName = {
  [Name in SettingName]: (typeof settings)[Name] extends { readonly format: ValueFormat } ? Name : never;
}[SettingName];

type ValueOf<S> = S extends { readonly list: true }
  ? readonly string[]
  : S extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : S extends { readonly type: infer Type extends Setting['type'] }
      ? { readonly string: string; readonly number: number; readonly boolean: boolean }[Type]
      : never;

/** The value of each flag, as the command line or the configuration file gives it. */
export type SettingValues = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends { readonly default: unknown }
    ? ValueOf<(typeof settings)[Name]>
    : ValueOf<(typeof settings)[Name]> | undefined;
};

/** The settings by name, with the fields that only some of them have. */
export const settingEntries: readonly (readonly [name: SettingName, setting: Setting])[] = namesOf(settings).map(
  name => [name, settings[name]],
);

function namesOf<Table extends object>(table: Table): (keyof Table & string)[] {
  const names: (keyof Table & string)[] = [];
  for (const name in table) if (Object.hasOwn(table, name)) names.push(name);
  return names;
}
