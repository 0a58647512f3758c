/** http-proxy as in its own documentation, with kept-alive connections: no affinity, no checks, no failover. */
import { Agent } from 'node:http';
import httpProxy from 'http-proxy';
import { backendPorts, serveHttp, turns } from './bare-place.js';

const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true }) });
proxy.on('error', (_error, _request, response) => {
  if ('writeHead' in response && !response.headersSent) response.writeHead(502).end();
  else response.destroy();
});

const next = turns(backendPorts.map(port => `http://127.0.0.1:${port}`));
serveHttp((request, response) => proxy.web(request, response, { target: next() }));
