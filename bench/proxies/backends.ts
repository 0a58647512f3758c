import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bigBody, smallBody } from './answers.js';
import { runNginx } from './peers/nginx.js';
import { cores, isOnPath, start } from './processes.js';
import { comesToAnswer } from './standing.js';

/** nginx answers with less CPU time than any program of ours could. The backends must not dominate the measurement. */
export const backendKind = isOnPath('nginx') ? 'nginx' : 'raw sockets in Node';

/** Starts one process that answers on all ports. */
export async function startBackends(ports: readonly number[], folder: string): Promise<void> {
  const script = path.join(import.meta.dirname, 'backend.js');
  const command =
    backendKind === 'nginx'
      ? await nginxBackend(ports, folder)
      : { command: process.execPath, args: [script, ports.join(',')] };
  const child = start(cores.others, command);
  await comesToAnswer('the backend', child, new URL(`http://127.0.0.1:${ports[0]}`));
}

async function nginxBackend(ports: readonly number[], folder: string) {
  await writeFile(path.join(folder, 'big'), bigBody);
  return runNginx(
    'backend',
    folder,
    `sendfile on; tcp_nopush on; types { } default_type application/json;
server {
  ${ports.map(port => `listen 127.0.0.1:${port} backlog=4096;`).join(' ')}
  location / { return 200 '${smallBody}'; }
  location = /big { root ${folder}; open_file_cache max=10; }
}`,
  );
}
