import { processOf } from './cell.js';
import type { CarriedOut, RawExchange, Recording } from './exchange.js';

const bodyCharsShown = 120;

/** Returns the exchange as it was on the wire, one line each: `> ` sent, `< ` received. */
export function wireLines({ request, answer, failure }: RawExchange): string[] {
  const sent = request.filter((line, index) => line !== '' || index < request.length - 1);
  const got = answer === undefined ? [] : [...answer.head, '', ...bodyLines(answer.body)];
  const end = answer !== undefined && !answer.complete ? [`(the answer ends here, cut off: ${failure})`] : [];
  return [
    ...sent.map(line => `> ${line}`.trimEnd()),
    ...got.map(line => `< ${line}`.trimEnd()),
    ...(answer === undefined ? [`(no answer: ${failure})`] : end),
  ];
}

function bodyLines(body: string): string[] {
  if (body === '') return [];
  const text = body.replaceAll(/[^\x20-\x7e]+/g, ' ');
  return [text.length > bodyCharsShown ? `${text.slice(0, bodyCharsShown)}… (${body.length} bytes)` : text];
}

/** Returns one line for each exchange of a phase: who asked, what came back, and which processes carried it out. */
export function exchangeLine({ id, user, method, answer, failure }: RawExchange, log: readonly CarriedOut[]): string {
  const by = log.filter(each => each.id === id).map(each => `${processOf(each)} (${each.memory})`);
  const end = failure ?? String(answer?.status);
  const cut = answer !== undefined && failure !== undefined ? `${answer.status}, then ${failure}` : end;
  return `${user}: ${method} -> ${cut}; carried out by ${by.join(' and ') || 'no backend'}`;
}

/** Replaces what differs from run to run: ports, dates, and the names of processes and sessions. */
export function maskRun(text: string, { log, exchanges }: Recording): string {
  const boots = [...new Set(log.map(({ boot }) => boot))];
  const sessions = [
    ...new Set(exchanges.flatMap(({ request }) => /\bapp=([0-9a-f]{16})/.exec(request.join())?.[1] ?? [])),
  ];
  const named = [...boots.map((boot, index) => [boot, `boot${index + 1}`] as const)];
  const ids = sessions.map((session, index) => [session, `session${index + 1}`] as const);
  return [...named, ...ids]
    .reduce((masked, [raw, name]) => masked.replaceAll(raw, name), text)
    .replaceAll(/\bapp=[0-9a-f]{16}/g, 'app=session')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/^(< date): .*$/gim, '$1: DATE');
}
