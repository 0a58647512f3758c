import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FindPeer, Place } from '../peer.js';
import { isOnPath, versionOf } from '../processes.js';

/** nginx with the affinity that Debian's open-source build has: a hash of a cookie, which it sets for new browsers. */
export const nginx: FindPeer = () => {
  if (!isOnPath('nginx')) return { leftOut: 'nginx is not on PATH' };
  return { version: versionOf('nginx', '-v'), command: nginxCommand };
};

async function nginxCommand(place: Place) {
  return runNginx(`proxy-${place.port}`, place.folder, proxyBlocks(place));
}

/** Runs one worker with its files in `folder`, and no limit on requests per connection. */
export async function runNginx(name: string, folder: string, http: string) {
  const file = path.join(folder, `${name}.conf`);
  await writeFile(file, `${around(path.join(folder, name))}\nhttp {\n${shared(path.join(folder, name))}\n${http}\n}\n`);
  return { command: 'nginx', args: ['-p', folder, '-e', 'stderr', '-c', file] };
}

function around(prefix: string): string {
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid ${prefix}.pid;
error_log stderr crit;
events { worker_connections 24000; }`;
}

function shared(prefix: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `access_log off;
keepalive_timeout 3600s;
keepalive_requests 1000000000;
${temporary.map(each => `${each}_temp_path ${prefix}-${each};`).join('\n')}`;
}

function proxyBlocks({ port, backendPorts, certificate }: Place): string {
  const servers = backendPorts.map(each => `server 127.0.0.1:${each};`);
  const secure = certificate && `ssl_certificate ${certificate.certFile}; ssl_certificate_key ${certificate.keyFile};`;
  return `map $cookie_holdfast $key { "" $request_id; default $cookie_holdfast; }
map $cookie_holdfast $issued { "" "holdfast=$request_id; Path=/; HttpOnly; SameSite=Lax"; default ""; }
upstream shop {
  hash $key consistent;
  ${servers.join(' ')}
  keepalive 128;
  keepalive_requests 1000000000;
}
server {
  listen 127.0.0.1:${port}${secure === undefined ? '' : ' ssl'} backlog=4096;
  ${secure ?? ''}
  location / {
    proxy_pass http://shop;
    proxy_http_version 1.1;
    proxy_connect_timeout 1s;
    proxy_max_temp_file_size 0;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    add_header Set-Cookie $issued;
  }
}`;
}
