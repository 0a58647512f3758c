import type { RecordedExchange } from '../passes.js';
import type { RecordedCall } from './call.js';

/** Answers of these types are parts of a page. */
const partOfPage =
  /^(image|font|audio|video)\/|^text\/(css|javascript|event-stream)|javascript|\bwasm\b|manifest\+json|opensearch|source-?map/i;
/** The media types of requests in which a browser reports something to the server by itself. */
const browserReport = /^(text\/ping|application\/(csp-report|reports\+json))/i;

/**
 * Returns the calls of a pass that can be part of a journey. It leaves out files, prefetches, preflights, beacons, and
 * answers that never end. It goes by types and by what the browser says, never by names.
 */
export function cleanCalls(all: readonly RecordedCall[], exchanges: readonly RecordedExchange[]): RecordedCall[] {
  const kept = all.filter((_, i) => isPartOfJourney(exchanges[i]));
  return kept.map((call, i) => (call.reply.status === 304 ? withKnownBody(call, kept.slice(0, i)) : call));
}

function isPartOfJourney(exchange: RecordedExchange | undefined): boolean {
  if (exchange === undefined) return false;
  const asked = (name: string) => exchange.requestHeaders.find(([header]) => header === name)?.[1] ?? '';
  const told = (name: string) => exchange.responseHeaders.find(([header]) => header === name)?.[1] ?? '';
  if (!/^(GET|POST|PUT|PATCH|DELETE)$/i.test(exchange.method) || exchange.status < 200) return false;
  if (partOfPage.test(told('content-type')) || browserReport.test(asked('content-type'))) return false;
  if (/prefetch|preview|prerender/i.test(asked('sec-purpose') + asked('purpose') + asked('x-moz'))) return false;
  if (/^(image|style|script|font|audio|video|manifest|serviceworker|track|worker)$/.test(asked('sec-fetch-dest')))
    return false;
  // Only a beacon writes without reading the answer.
  return exchange.method.toUpperCase() === 'GET' || asked('sec-fetch-mode') !== 'no-cors';
}

/** Gives an answer without a body ("not modified") the body that the browser had. */
function withKnownBody(call: RecordedCall, earlier: readonly RecordedCall[]): RecordedCall {
  const known = earlier.findLast(
    ({ method, path, reply }) => method === call.method && path === call.path && reply.status === 200,
  );
  return known === undefined ? call : { ...call, reply: { ...known.reply } };
}
