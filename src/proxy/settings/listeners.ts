import type { Setting } from './setting.js';

/** Settings of the sockets on which the proxy listens. */
export const listenerSettings = {
  'redirect-https': {
    type: 'string',
    group: 'TLS, and proxies in front:',
    describe: 'also listen on this port without TLS, and redirect to https; 8080:443 if clients see port 443',
    option: 'redirect',
    reload: 'restart',
    chosenByLab: true,
  },
  'shutdown-delay': {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: 3_600_000 },
    default: '0',
    group: 'Operation:',
    describe: 'at SIGTERM, how long the proxy still accepts, and tells load balancers in front that it closes',
    option: 'shutdownDelayMs',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;
