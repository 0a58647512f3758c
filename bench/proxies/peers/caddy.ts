import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FindPeer, Place } from '../peer.js';
import { isOnPath, versionOf } from '../processes.js';

/** Caddy with `lb_policy cookie`, on one core as the others. */
export const caddy: FindPeer = () => {
  if (!isOnPath('caddy')) return { leftOut: 'caddy is not on PATH' };
  return {
    version: versionOf('caddy', 'version'),
    command: async place => {
      const file = path.join(place.folder, `Caddyfile-${place.port}`);
      await writeFile(file, configuration(place));
      // Caddy writes its last configuration and its locks below HOME.
      const env = ['GOMAXPROCS=1', `HOME=${place.folder}`, `XDG_DATA_HOME=${place.folder}`];
      const run = ['caddy', 'run', '--adapter', 'caddyfile', '--config', file];
      return { command: 'env', args: ['-u', 'XDG_CONFIG_HOME', ...env, ...run] };
    },
  };
};

function configuration({ port, backendPorts, certificate }: Place): string {
  const scheme = certificate === undefined ? 'http' : 'https';
  return `{
  admin off
  auto_https off
}
${scheme}://127.0.0.1:${port} {
  bind 127.0.0.1
  ${certificate === undefined ? '' : `tls ${certificate.certFile} ${certificate.keyFile}`}
  reverse_proxy ${backendPorts.map(each => `127.0.0.1:${each}`).join(' ')} {
    lb_policy cookie holdfast
    health_uri /health
    health_interval 2s
  }
}
`;
}
