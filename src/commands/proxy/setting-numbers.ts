import type { EngineLimits } from '../../proxy/exchange.js';
import type { ValueFormat } from '../../proxy/settings/setting.js';
import { type NumberSettingName, type SettingValues, settingEntries, settings } from '../../proxy/settings.js';
import { parseDuration } from '../../shared/duration.js';
import { formatSize, parseSize } from '../../shared/size.js';
import { UsageError } from '../lib/errors.js';
import { parseCount } from '../lib/mode-option.js';

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
