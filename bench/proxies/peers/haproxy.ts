import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FindPeer, Place } from '../peer.js';
import { isOnPath, versionOf } from '../processes.js';

/** HAProxy with one thread as the others. It inserts its cookie and leaves failed servers. */
export const haproxy: FindPeer = () => findHaproxy(['option redispatch']);

/** Finds HAProxy. `policy`: lines that decide what happens to a request when its server dies. */
export function findHaproxy(policy: readonly string[]): ReturnType<FindPeer> {
  if (!isOnPath('haproxy')) return { leftOut: 'haproxy is not on PATH' };
  return {
    version: versionOf('haproxy', '-v'),
    command: async place => {
      const file = path.join(place.folder, `haproxy-${place.port}.cfg`);
      await writeFile(file, await configuration(place, policy));
      return { command: 'haproxy', args: ['-q', '-db', '-f', file] };
    },
  };
}

/** Builds the configuration. It tells its servers about the client as Holdfast does, for equal work. */
async function configuration(place: Place, policy: readonly string[]): Promise<string> {
  const { port, backendPorts } = place;
  const servers = backendPorts.map((each, index) => `  server s${index} 127.0.0.1:${each} check cookie s${index}`);
  return `global
  nbthread 1
  maxconn 12000
  no strict-limits
defaults
  mode http
  timeout connect 1s
  timeout client 75s
  timeout server 30s
  timeout http-keep-alive 75s
${policy.map(line => `  ${line}`).join('\n')}
  option httpchk GET /health
  option forwardfor
listen shop
  bind 127.0.0.1:${port}${await tls(place)}
  http-request set-header X-Forwarded-Proto ${place.certificate === undefined ? 'http' : 'https'}
  cookie holdfast insert indirect nocache
${servers.join('\n')}
`;
}

/** Writes certificate and key into one file, as HAProxy needs them. */
async function tls({ certificate, folder }: Place): Promise<string> {
  if (certificate === undefined) return '';
  const both = await Promise.all([certificate.certFile, certificate.keyFile].map(file => readFile(file, 'utf8')));
  const file = path.join(folder, 'haproxy.pem');
  await writeFile(file, both.join('\n'));
  return ` ssl crt ${file}`;
}
