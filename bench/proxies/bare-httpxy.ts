/** httpxy as in its own documentation, with kept-alive connections: no affinity, no checks, no failover. */
import { Agent } from 'node:http';
import { createProxyServer } from 'httpxy';
import { backendPorts, serveHttp, turns } from './bare-place.js';

const proxy = createProxyServer({ agent: new Agent({ keepAlive: true }) });

const next = turns(backendPorts.map(port => `http://127.0.0.1:${port}`));
serveHttp((request, response) => {
  proxy.web(request, response, { target: next() }).catch(() => response.destroy());
});
