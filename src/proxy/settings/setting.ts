import type { EngineLimits } from '../exchange.js';
import type { ProxyOptions } from '../options.js';

/** How the text of a flag is read, and its inclusive bounds. A flag without it is read by a function of its own. */
export type ValueFormat =
  /** `500ms`, `2s`; `0` where `minMs` is 0. */
  | { readonly is: 'duration'; readonly minMs: number; readonly maxMs: number }
  | { readonly is: 'count'; readonly min: number; readonly max: number }
  /** `64KiB`, or a number of bytes. */
  | { readonly is: 'size'; readonly minBytes: number; readonly maxBytes: number };

export const hourMs = 3_600_000;

/** A time of at least a millisecond. A timer of Node fires at once when it is set to more than 24 days. */
export const time = { is: 'duration', minMs: 1, maxMs: 24 * hourMs } as const satisfies ValueFormat;

/** One setting of `holdfast proxy`: a flag on the command line, and a key of the configuration file. */
export interface Setting {
  readonly type: 'string' | 'number' | 'boolean';
  /** It can be given several times. */
  readonly list?: true;
  /** Its value is the path of a file. */
  readonly path?: true;
  readonly choices?: readonly string[];
  readonly format?: ValueFormat;
  /** Absent: the value is undefined where the flag is not given. */
  readonly default?: string | number | boolean | readonly string[];
  /** The heading under which `--help` shows it. */
  readonly group: string;
  readonly describe: string;
  /** The option of the proxy that it sets, alone or with other flags. */
  readonly option?: keyof ProxyOptions;
  /** The limit that it sets. */
  readonly limit?: keyof EngineLimits;
  /**
   * What a reload does with a changed value. `live`: it holds from then on. `restart`: it holds after a restart only.
   * `special`: `planReload` compares it in a way of its own.
   */
  readonly reload?: 'live' | 'restart' | 'special';
  /** The name of the option in the log of a reload; absent: the flag. Flags of the same option share it. */
  readonly reloadName?: string;
  /** The lab chooses the value for its proxy itself, or does not use it: the flag is not passed on. */
  readonly chosenByLab?: true;
}
