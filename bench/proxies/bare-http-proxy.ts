/** http-proxy as its own documentation shows it, with kept-alive connections: no affinity, no checks, no failover. */
import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';

const [port, ...backendPorts] = process.argv.slice(2).map(Number);
const targets = backendPorts.map(each => `http://127.0.0.1:${each}`);
const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true }) });
proxy.on('error', (_error, _request, response) => response.destroy());

let turn = 0;
createServer((request, response) => {
  turn = (turn + 1) % targets.length;
  const target = targets[turn];
  proxy.web(request, response, target === undefined ? {} : { target });
}).listen(port, '127.0.0.1');
