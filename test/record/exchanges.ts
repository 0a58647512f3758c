import type { RecordedExchange } from '#src/record/recording.js';

/** Returns an exchange with these parts. The others are those of a GET that is answered with an empty page. */
export function exchange(parts: Partial<RecordedExchange>): RecordedExchange {
  return {
    startedMs: 0,
    method: 'GET',
    path: '/',
    requestHeaders: [],
    requestBody: '',
    status: 200,
    responseHeaders: [['content-type', 'text/html']],
    responseBody: '',
    ...parts,
  };
}
