import { writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface Place {
  readonly port: number;
  readonly backendPorts: readonly number[];
  /** For configuration files; removed afterwards. */
  readonly folder: string;
}

/** How a proxy is started before the backends. */
export type Peer = (place: Place) => Promise<{ readonly command: string; readonly args: readonly string[] }>;

const cli = path.resolve(import.meta.dirname, '../../cli.js');

export const peers: Readonly<Record<string, Peer>> = {
  'http-proxy': async ({ port, backendPorts }) => ({
    command: process.execPath,
    args: [path.join(import.meta.dirname, 'bare-http-proxy.js'), String(port), ...backendPorts.map(String)],
  }),
  'holdfast redis': place => holdfast('redis', place),
  'holdfast sticky': place => holdfast('sticky', place),
  haproxy: async place => {
    const file = path.join(place.folder, 'haproxy.cfg');
    await writeFile(file, haproxyConfiguration(place));
    return { command: 'haproxy', args: ['-q', '-f', file] };
  },
};

async function holdfast(mode: string, { port, backendPorts }: Place) {
  const backends = backendPorts.flatMap(each => ['--backend', `http://127.0.0.1:${each}`]);
  const flags = ['--mode', mode, '--port', String(port), '--admin-port', '0', ...backends];
  return { command: process.execPath, args: [cli, 'proxy', ...flags] };
}

/** One thread, as the others have; its cookie is inserted, and bad servers are left. */
function haproxyConfiguration({ port, backendPorts }: Place): string {
  const servers = backendPorts.map((each, index) => `  server s${index} 127.0.0.1:${each} check cookie s${index}`);
  return `global
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  option redispatch
  option httpchk GET /health
listen shop
  bind 127.0.0.1:${port}
  cookie holdfast insert indirect nocache
${servers.join('\n')}
`;
}
