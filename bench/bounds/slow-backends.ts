import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Place, Row } from './place.js';

const limitMs = 30_000;
const lateMsMax = 2_000;

/** Tests a backend that never sends a head, and one that stops in the middle of its body. */
export async function slowBackends({ url }: Place): Promise<Row[]> {
  const [never, stalled] = await Promise.all([ask(`${url}/never`), ask(`${url}/stall`)]);
  return [
    row('the head of an answer never comes', never, '504, outcome=unknown'),
    row('the body of an answer stops', stalled, '200, cut'),
  ];
}

async function ask(url: string): Promise<{ readonly found: string; readonly tookMs: number }> {
  const startedMs = performance.now();
  const found = await new Promise<string>(resolve => {
    const asked = request(url, { agent: false }, answer => {
      const { statusCode, headers } = answer;
      const [, outcome] = /(outcome=\S+)/.exec(String(headers['proxy-status'])) ?? [];
      text(answer).then(
        () => resolve(`${statusCode}, ${outcome ?? 'whole'}`),
        () => resolve(`${statusCode}, cut`),
      );
    });
    asked.on('error', error => resolve(error.message)).end();
  });
  return { found, tookMs: performance.now() - startedMs };
}

function row(what: string, { found, tookMs }: Awaited<ReturnType<typeof ask>>, wanted: string): Row {
  return {
    what,
    found: `${found} after ${(tookMs / 1_000).toFixed(1)} s`,
    bound: `${wanted} after ${limitMs / 1_000} to ${(limitMs + lateMsMax) / 1_000} s`,
    holds: found === wanted && tookMs >= limitMs && tookMs <= limitMs + lateMsMax,
  };
}
