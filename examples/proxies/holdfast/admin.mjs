/**
 * Speaks to the admin API. node admin.mjs PORT prints the state of each backend; node admin.mjs PORT BACKEND drain or
 * ready sets one.
 */
import { request } from 'node:http';

const [port, backend, state] = process.argv.slice(2);
const method = backend === undefined ? 'GET' : 'PUT';
const path = backend === undefined ? '/backends' : `/backends/${backend}`;
const headers = { 'content-type': 'application/json' };

request({ port, path, method, headers }, async answer => {
  const body = Buffer.concat(await answer.toArray()).toString();
  if (answer.statusCode !== 200) throw new Error(`${method} ${path} was answered with ${answer.statusCode}: ${body}`);
  if (method === 'GET')
    for (const { name, state, inFlight } of JSON.parse(body).backends) console.log(name, state, inFlight);
}).end(method === 'PUT' ? JSON.stringify({ state }) : '');
