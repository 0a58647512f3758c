import { portRefuses, waitReadmitted } from '../../cluster/probe.js';
import { withRedis } from '../../cluster/redis-client.js';
import { serverOf } from '../../cluster/stores/registry.js';
import { duration } from '../../scenario/values.js';
import { askedEffect, askedInWords, defineFault } from '../fault.js';

/** A live server on loopback answers within a few milliseconds. */
const silentForMs = 250;
const slackMs = 5_000;

/** Pauses Redis by its own command: connections and data stay, and nothing is answered. */
export const pause = defineFault({
  summary: 'CLIENT PAUSE: Redis answers nothing for a while, then all requests that have waited',
  targets: ['store'],
  options: {
    length: duration(1, '30s')
      .prefault('1s')
      .describe(
        'Length of the pause. It ends by itself, because a paused Redis does not even accept the command that ends a pause. It is healed when Redis answers.',
      )
      .meta({ examples: ['3s'] }),
  },
  effect: askedEffect,
  effectInWords: askedInWords,
  explainMissing: target =>
    serverOf(target) === 'redis' && !target.includes('sentinel')
      ? undefined
      : `found "${target}", expected a Redis with data: only it has CLIENT PAUSE`,
  make: (target, { length: lengthMs }) => ({
    async inject(cluster) {
      await withRedis(cluster.member(target).port, redis => redis.client('PAUSE', lengthMs, 'ALL'));
    },
    async confirm(cluster) {
      const member = cluster.member(target);
      // A dead server is silent too, but its port refuses connections.
      if ((await member.answers(silentForMs)) || (await portRefuses(member.port))) return false;
      return `no answer within ${silentForMs} ms on a port that takes connections`;
    },
    async heal(cluster) {
      await waitReadmitted(cluster, cluster.member(target), lengthMs + slackMs);
    },
  }),
});
