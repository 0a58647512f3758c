import type { AppReply } from '../users/journey.js';

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
  [/HPE_|Expected HTTP/, 'the server speaks no HTTP: is it the right port, and not TLS?'],
];

/** Says why no whole answer came, and what to check. Pure. */
export function describeIncomplete({ error = 'it ended early' }: AppReply): {
  readonly problem: string;
  readonly hint?: string;
} {
  const hint = hints.find(([pattern]) => pattern.test(error))?.[1];
  return { problem: `no whole answer came: ${error}`, ...(hint === undefined ? {} : { hint }) };
}

const marks: readonly (readonly [tag: RegExp, value: RegExp, what: string])[] = [
  [/<input\b[^>]{0,400}\btype=["']?hidden\b[^>]{0,400}>/i, /(\bvalue=)(["'])[^"']*\2/i, 'a hidden field'],
  [
    /<meta\b[^>]{0,400}\bname=["']?[\w-]*(?:csrf|xsrf)[^>]{0,400}>/i,
    /(\bcontent=)(["'])[^"']*\2/i,
    'a token in its head',
  ],
];

/** Describes where a page seems to hold a value that the next request must send. It shows the name, never the value. */
export function findHiddenField(page: string): string | undefined {
  for (const [tag, value, what] of marks) {
    const found = tag.exec(page)?.[0];
    if (found !== undefined) return `${what}: ${found.replace(value, '$1$2...$2')}`;
  }
  return undefined;
}
