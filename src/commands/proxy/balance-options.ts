import type { Argv } from 'yargs';
import { isWeight, weightExpected } from '../../proxy/backends.js';
import type { ProxyOptions } from '../../proxy/options.js';
import { routingPolicies } from '../../proxy/routing-policies/registry.js';
import { hashKeyExpected, keyReader } from '../../proxy/routing-policy.js';
import { parseDuration } from '../../shared/duration.js';
import { UsageError } from '../lib/errors.js';
import { parseKey } from '../lib/registry-option.js';

const slowStartMsMax = 3_600_000;

/** Who is chosen for a request that is bound to nobody. */
export interface BalanceArgs {
  readonly policy: string;
  readonly 'hash-key': string;
  readonly 'slow-start': string;
}

export function balanceFlags<T>(yargs: Argv<T>) {
  return yargs
    .option('policy', {
      type: 'string',
      default: 'round-robin',
      requiresArg: true,
      describe: Object.keys(routingPolicies).join(' | '),
    })
    .option('hash-key', {
      type: 'string',
      default: 'address',
      requiresArg: true,
      describe: 'what "rendezvous" hashes: address | header:<name> | cookie:<name>',
    })
    .option('slow-start', {
      type: 'string',
      default: '30s',
      requiresArg: true,
      describe: 'until a backend that joined or failed has its whole share again; 0: at once',
    });
}

export function balanceOptions(args: BalanceArgs): Pick<ProxyOptions, 'policy' | 'hashKey' | 'slowStartMs'> {
  const hashKey = args['hash-key'];
  if (keyReader(hashKey) === undefined) throw new UsageError(`--hash-key "${hashKey}": expected ${hashKeyExpected}.`);
  return {
    policy: parseKey('policy', args.policy, routingPolicies),
    hashKey,
    slowStartMs: slowStartMs(args['slow-start']),
  };
}

/** What works and is not what was meant. */
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

/** `http://127.0.0.1:3001,weight=3`: the address, which is not looked at here, and the weight, 1 when absent. */
export function withWeight(text: string): { readonly address: string; readonly weight: number } {
  const comma = text.indexOf(',');
  if (comma === -1) return { address: text, weight: 1 };
  const digits = /^weight=(\d{1,4})$/.exec(text.slice(comma + 1))?.[1];
  const weight = Number(digits);
  if (isWeight(weight)) return { address: text.slice(0, comma), weight };
  throw new UsageError(
    `--backend "${text}": expected behind the comma a weight, ${weightExpected}, such as http://127.0.0.1:3001,weight=3.`,
  );
}
