/** @fastify/http-proxy as in its own documentation: no affinity, no checks, no failover. */
import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';
import { backendPorts, httpServer, listenPort, turns } from './bare-place.js';

const next = turns(backendPorts.map(port => `http://127.0.0.1:${port}`));
const app = fastify({ serverFactory: httpServer });
await app.register(httpProxy, { upstream: '', replyOptions: { getUpstream: next } });
await app.listen({ port: listenPort, host: '127.0.0.1', backlog: 4096 });
