import type { ProxyOptions } from '../../proxy/options.js';
import { routingPolicies } from '../../proxy/routing-policies/registry.js';
import { hashKeyExpected, parseHashKey } from '../../proxy/routing-policy.js';
import type { SettingValues } from '../../proxy/settings.js';
import { parseDuration } from '../../shared/duration.js';
import { UsageError } from '../lib/errors.js';
import { parseKey } from '../lib/registry-option.js';

const slowStartMsMax = 3_600_000;

type BalanceArgs = Pick<SettingValues, 'policy' | 'hash-key' | 'slow-start'>;

export function balanceOptions(args: BalanceArgs): Pick<ProxyOptions, 'policy' | 'hashKey' | 'slowStartMs'> {
  const hashKey = args['hash-key'];
  if (parseHashKey(hashKey) === undefined)
    throw new UsageError(`--hash-key "${hashKey}": expected ${hashKeyExpected}.`);
  return {
    policy: parseKey('policy', args.policy, routingPolicies),
    hashKey,
    slowStartMs: slowStartMs(args['slow-start']),
  };
}

/** Warns of a setting that has no effect. */
export function balanceAdvice({ policy, 'hash-key': hashKey }: BalanceArgs): readonly string[] {
  if (hashKey === 'address' || policy === 'rendezvous') return [];
  return [`--hash-key ${hashKey}: only --policy rendezvous looks at it, and --policy is ${policy}`];
}

function slowStartMs(text: string): number {
  const span = text === '0' ? 0 : parseDuration(text);
  if (span === undefined || span > slowStartMsMax)
    throw new UsageError(`--slow-start "${text}": expected a time such as 30s, at most 1h, or 0.`);
  return span;
}
