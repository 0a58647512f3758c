import type { Reply } from './users/http-client.js';

const hints: readonly (readonly [error: RegExp, hint: string])[] = [
  [
    /^timeout$/,
    'it took longer than users.timeout: does the app wait for something that is not running here, such as a database?',
  ],
  [/ECONNREFUSED/, 'nothing listens there: has it ended, or does it listen at another port?'],
  [/UND_ERR_RES_EXCEEDED/, 'the answer is too long: ask for less of it'],
  [
    /^UND_ERR_SOCKET$|ECONNRESET|EPIPE/,
    'the app closed the connection before its answer was whole: did it fail over this request?',
  ],
  [/HPE_|Expected HTTP/, 'what listens there speaks no HTTP: is it the right port, and not TLS?'],
];

/** No whole answer came: why, and what to look at. Pure. */
export function brokenOff({ error = 'it ended early' }: Reply): { readonly problem: string; readonly hint?: string } {
  const hint = hints.find(([pattern]) => pattern.test(error))?.[1];
  return { problem: `no whole answer came: ${error}`, ...(hint === undefined ? {} : { hint }) };
}
