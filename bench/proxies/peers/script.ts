import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Peer } from '../peer.js';

const root = path.resolve(import.meta.dirname, '../../../..');

/** A proxy of a few lines, with a library or none: bench/proxies/bare-*.ts. */
export function script(name: string, library?: string): Peer {
  return {
    version: library === undefined ? '' : packageVersion(library),
    command: async ({ port, backendPorts, certificate }) => ({
      command: process.execPath,
      args: [
        path.resolve(import.meta.dirname, `../bare-${name}.js`),
        String(port),
        backendPorts.join(','),
        ...(certificate === undefined ? [] : [certificate.certFile, certificate.keyFile]),
      ],
    }),
  };
}

function packageVersion(library: string): string {
  const text = readFileSync(path.join(root, 'node_modules', library, 'package.json'), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? '';
}
