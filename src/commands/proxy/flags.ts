import path from 'node:path';
import type { Argv } from 'yargs';
import type { EngineLimits } from '../../proxy/exchange.js';
import type { ValueFormat } from '../../proxy/settings/setting.js';
import {
  type NumberSettingName,
  type SettingName,
  type SettingValues,
  settingEntries,
  settings,
} from '../../proxy/settings.js';
import { formatSize, parseDuration, parseSize } from '../../shared/units.js';
import { flagsOf, parseCount, type StoreArgs, storeOptions, UsageError } from '../lib/flags.js';

/** The flags of `holdfast proxy`, as yargs has read them. */
export type ProxyArgs = SettingValues & StoreArgs;

const labGroup = 'A lab to play with:';
const backend = '--backend http://127.0.0.1:3001';

const examples: readonly (readonly [line: string, what: string])[] = [
  ['$0 proxy --mode sticky --backends 3', 'three toy backends; open http://127.0.0.1:8080 and kill one'],
  [`$0 proxy ${backend} --backend http://127.0.0.1:3002`, 'in front of anything; browsers are bound by a cookie'],
  [`$0 proxy ${backend} --affinity off --policy least-connections`, 'sessions are in a store: any backend will do'],
  [`$0 proxy --backend red=http://127.0.0.1:3001,weight=3 --backend blue=http://127.0.0.1:3002`, 'names and weights'],
  [`$0 proxy ${backend} --tls dev`, 'https://localhost:8080, with a certificate made in memory'],
  ['$0 proxy --config proxy.yaml', 'the same flags from a file; kill -HUP <pid> reads it again'],
  ['curl -X PUT -d \'{"state":"drain"}\' http://127.0.0.1:8081/backends/backend-2', 'take one out gently'],
  ['curl http://127.0.0.1:8081/metrics', 'for Prometheus; also GET /backends and GET /events'],
];

const conflicts = `Use either --backend (your own servers) or --backends (starts toy backends). The store flags are for toy
backends. A key ring stands in --secrets-file or HOLDFAST_SECRETS, never on the command line. All of it: docs/proxy.md`;

/** Adds every setting of the proxy as a flag, under the heading of its group, and examples. */
export function addProxyFlags(yargs: Argv): Argv<ProxyArgs> {
  for (const [name, setting] of settingEntries) {
    const { type, list, path: isPath, choices, group, describe } = setting;
    yargs.option(name, {
      type,
      group,
      describe,
      ...('default' in setting && { default: setting.default }),
      ...(list ? { array: true, nargs: 1 } : type !== 'boolean' && { requiresArg: true }),
      ...(choices && { choices }),
      ...(isPath && { normalize: true }),
    });
  }
  const own = new Set(flagsOf(yargs).known);
  const withStores = storeOptions(yargs);
  withStores.group(
    flagsOf(withStores).known.filter(flag => !own.has(flag)),
    labGroup,
  );
  for (const [line, what] of examples) withStores.example(line, what);
  // The loop above adds exactly the flags of SettingValues, which yargs cannot infer from it.
  return withStores.epilogue(conflicts.replaceAll('\n', ' ')) as Argv<ProxyArgs>;
}

/** The flags that a lab passes on to its proxy: those whose values differ from the default. */
export function listFlagsForLab(args: Partial<SettingValues>): string[] {
  return settingEntries.flatMap(([name, { chosenByLab, default: usual, path: isPath }]) => {
    const value = args[name];
    if (chosenByLab || value === undefined || value === usual) return [];
    if (typeof value === 'object') return value.map(item => `--${name}=${item}`);
    return [flagFor(name, isPath && value !== '-' ? path.resolve(String(value)) : value)];
  });
}

function flagFor(name: SettingName, value: string | number | boolean): string {
  return value === true ? `--${name}` : `--${name}=${value}`;
}

type Value = string | number | undefined;

/** Reads a setting by its format: a duration in milliseconds, a count, or a size in bytes. Throws `UsageError`. */
export function readNumber(name: NumberSettingName, args: Partial<SettingValues>): number {
  return parseAs(settings[name].format, name, args[name]);
}

/** Reads every limit of the engine. Throws `UsageError` for the first wrong one. */
export function readLimits(args: Partial<SettingValues>): EngineLimits {
  const limits = settingEntries.flatMap(([name, { limit, format }]) =>
    limit === undefined || format === undefined ? [] : [[limit, parseAs(format, name, args[name] as Value)]],
  );
  return Object.fromEntries(limits);
}

/** Parses a duration to milliseconds. Undefined for other text, and outside the bounds. */
export function readDurationWithin(
  text: string,
  { minMs, maxMs }: Extract<ValueFormat, { is: 'duration' }>,
): number | undefined {
  const ms = text === '0' ? 0 : parseDuration(text);
  return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined;
}

function parseAs(format: ValueFormat, flag: string, value: Value): number {
  if (format.is === 'count') return parseCount(flag, Number(value), format.min, format.max);
  const text = String(value);
  if (format.is === 'duration') {
    const ms = readDurationWithin(text, format);
    if (ms !== undefined) return ms;
    const zero = format.minMs === 0 ? ', or 0' : '';
    throw new UsageError(
      `--${flag} "${text}": expected a time such as 500ms, 2s or 1min, at most ${format.maxMs / 3_600_000}h${zero}.`,
    );
  }
  const bytes = parseSize(text);
  if (bytes !== undefined && bytes >= format.minBytes && bytes <= format.maxBytes) return bytes;
  throw new UsageError(
    `--${flag} "${text}": expected a size from ${formatSize(format.minBytes)} to ${formatSize(format.maxBytes)}, such as 64KiB or 65536.`,
  );
}
