import type { ProxyOptions } from '../../proxy/options.js';
import type { SettingValues } from '../../proxy/settings.js';
import { UsageError } from '../lib/errors.js';
import { readNumber } from './setting-numbers.js';

const perSecondMax = 1_000_000;

type ClientArgs = Pick<SettingValues, 'max-connections-per-address' | 'max-requests-per-address' | 'request-id'>;

/** Reads how requests are named, and the limits of each client address. Throws `UsageError`. */
export function readClientOptions(
  args: ClientArgs,
): Pick<ProxyOptions, 'connectionsPerAddressMax' | 'requestsPerAddressMax' | 'requestId'> {
  return {
    connectionsPerAddressMax: readNumber('max-connections-per-address', args),
    requestsPerAddressMax: parseRate(args['max-requests-per-address']),
    requestId: args['request-id'],
  };
}

function parseRate(text: string): number {
  const [, digits] = /^(\d{1,7})\/s$/.exec(text) ?? [];
  const perSecond = text === '0' ? 0 : Number(digits ?? Number.NaN);
  if (perSecond === 0 ? text === '0' : perSecond <= perSecondMax) return perSecond;
  throw new UsageError(
    `--max-requests-per-address "${text}": expected a rate such as 100/s, at most ${perSecondMax}/s, or 0 for no limit.`,
  );
}
