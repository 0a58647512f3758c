import { engines } from '#src/proxy/engines/registry.js';
import type { FindPeer } from '../proxies/peer.js';
import { caddy } from '../proxies/peers/caddy.js';
import { findHaproxy } from '../proxies/peers/haproxy.js';
import { holdfast } from '../proxies/peers/holdfast.js';
import { nginx } from '../proxies/peers/nginx.js';
import { script } from '../proxies/peers/script.js';

export interface KillPeer {
  readonly find: FindPeer;
  /** It must keep the promises of Holdfast. */
  readonly ours: boolean;
}

const own = Object.keys(engines).flatMap(engine =>
  ['on', 'off'].map(affinity => {
    const find: FindPeer = () => holdfast(engine, ['--affinity', affinity]);
    return [`holdfast ${engine} affinity ${affinity}`, { find, ours: true }] as const;
  }),
);

/** The keys are the values of `--peers`. */
export const killPeers: Readonly<Record<string, KillPeer>> = {
  'haproxy redispatch': { find: () => findHaproxy(['option redispatch']), ours: false },
  'haproxy retry-on': {
    find: () => findHaproxy(['option redispatch 1', 'retry-on conn-failure empty-response']),
    ours: false,
  },
  'nginx hash on cookie': { find: nginx, ours: false },
  'caddy lb_policy cookie': { find: caddy, ours: false },
  'http-proxy': { find: () => script('http-proxy', 'http-proxy'), ours: false },
  ...Object.fromEntries(own),
};
