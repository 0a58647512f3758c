import path from 'node:path';
import type { Peer } from '../peer.js';

const cli = path.resolve(import.meta.dirname, '../../../cli.js');

/** Holdfast in its normal state, with affinity, health checks and metrics. */
export function holdfast(engine: string, flags: readonly string[] = ['--affinity', 'on']): Peer {
  return {
    version: '',
    command: async ({ port, backendPorts, certificate }) => {
      const backends = backendPorts.flatMap(each => ['--backend', `http://127.0.0.1:${each}`]);
      const place = ['--engine', engine, '--port', String(port), '--admin-port', '0'];
      const tls =
        certificate === undefined ? [] : ['--tls-cert', certificate.certFile, '--tls-key', certificate.keyFile];
      return { command: process.execPath, args: [cli, 'proxy', ...place, ...flags, ...tls, ...backends] };
    },
  };
}
