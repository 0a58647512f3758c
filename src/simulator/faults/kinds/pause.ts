import { portRefuses, waitReadmitted } from '../../cluster/probe.js';
import { withRedis } from '../../cluster/redis-client.js';
import { serverOf } from '../../cluster/stores/registry.js';
import { duration } from '../../scenario/values.js';
import { askedEffect, askedInWords } from '../effects.js';
import { defineFault } from '../fault.js';

/** A live server on loopback answers within a few milliseconds. */
const silentForMs = 250;
const slackMs = 5_000;

/** The server's own way of standing still: connections and memory stay, and nothing is answered. */
export const pause = defineFault({
  summary: 'CLIENT PAUSE: Redis answers nothing for a while, and then everything',
  targets: ['store'],
  options: {
    length: duration(1, '30s')
      .prefault('1s')
      .describe(
        'It ends by itself: a paused Redis takes not even the command that would end it. Healed is when it answers.',
      ),
  },
  effect: askedEffect,
  effectInWords: askedInWords,
  lacking: target =>
    serverOf(target) === 'redis' && !target.includes('sentinel')
      ? undefined
      : `found "${target}", expected a Redis that keeps something: nothing else has a CLIENT PAUSE`,
  make: (target, { length: lengthMs }) => ({
    async inject(cluster) {
      await withRedis(cluster.member(target).port, redis => redis.client('PAUSE', lengthMs, 'ALL'));
    },
    async confirm(cluster) {
      const member = cluster.member(target);
      // One that has died is silent too, and takes no connection.
      if ((await member.answers(silentForMs)) || (await portRefuses(member.port))) return false;
      return `no answer within ${silentForMs} ms on a port that takes connections`;
    },
    async heal(cluster) {
      await waitReadmitted(cluster, cluster.member(target), lengthMs + slackMs);
    },
  }),
});
