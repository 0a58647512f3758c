import { type CarriedOut, headerValues, type RawExchange, type Recording } from './exchange.js';

/** Results of one experiment for its users, worst first. A cell that shows several has the first of them. */
export const cellKinds = [
  'unknown',
  'silent loss',
  'twice',
  'error',
  'several cookies',
  'moved',
  'kept',
  'not applicable',
] as const;

export type CellKind = (typeof cellKinds)[number];

export interface Cell {
  readonly kind: CellKind;
  /** The words of the table, for example `error for 1 of 2, moved`. */
  readonly says: string;
  /** One sentence: what was seen, or why the cell is not applicable or unknown. */
  readonly why: string;
  /** The place of the exchange that shows it best, in `Recording.exchanges`. */
  readonly decisive?: number | undefined;
}

/** The facts that one exchange shows, compared with the last answer that its user got before. */
export interface Fact {
  readonly exchange: RawExchange;
  /** The requests that backends carried out for it, in the order of the log. */
  readonly carriedOut: readonly CarriedOut[];
  readonly failed: boolean;
  /** Another backend answered than the one before. */
  readonly moved: boolean;
  /** The process that answered did not know the session of the user: it is another backend, or a new process of it. */
  readonly forgotten: boolean;
  /** The proxy let it be known: it changed its cookie, or it added a header to the request for the app. A cookie that it
   * only sends again tells nothing. */
  readonly told: boolean;
  /** A backend cut the answer off, and the user got it as if it were whole. */
  readonly completed: boolean;
  /** The largest number of cookies of one name that the proxy has set in this answer. */
  readonly cookiesOfOneName: number;
  /** Says on what the answer and the log of the backends do not agree. */
  readonly disagreement: string | undefined;
}

/** Returns the facts of all exchanges, in order. */
export function factsOf({ exchanges, log }: Recording): Fact[] {
  const last = new Map<string, string>();
  const headerNames = new Map<string, ReadonlySet<string>>();
  const ownCookies = new Map<string, ReadonlyMap<string, string>>();
  return exchanges.map(exchange => {
    const carriedOut = log.filter(({ id }) => id === exchange.id);
    const { user, answer } = exchange;
    const answering = witnessOf(exchange);
    const by = carriedOut.find(each => processOf(each) === answering);
    const before = last.get(user);
    const known = headerNames.get(user);
    if (answering !== undefined) last.set(user, answering);
    if (by !== undefined) headerNames.set(user, new Set([...(known ?? []), ...namesIn(by)]));
    const failed = exchange.failure !== undefined || answer === undefined || answer.status >= 400;
    const added = by !== undefined && known !== undefined && [...namesIn(by)].some(name => !known.has(name));
    const cookies = proxyCookies(exchange, by);
    const held = ownCookies.get(user) ?? new Map<string, string>();
    const changed = cookies.map(pairIn).filter(([name, value]) => held.get(name) !== value);
    ownCookies.set(user, new Map([...held, ...changed]));
    return {
      exchange,
      carriedOut,
      failed,
      moved: !failed && before !== undefined && answering !== undefined && backendIn(answering) !== backendIn(before),
      forgotten: !failed && by?.memory === 'forgotten',
      told: changed.length > 0 || added,
      completed: !failed && carriedOut.some(isCut),
      cookiesOfOneName: Math.max(0, ...countsOfNames(cookies)),
      disagreement: findDisagreement(exchange, failed, by),
    };
  });
}

/** Returns `backend-1#4f2a`, the process that wrote the answer; undefined for an answer of the proxy itself. */
export function witnessOf({ answer }: Pick<RawExchange, 'answer'>): string | undefined {
  return answer && headerValues(answer.head, 'x-witness')[0];
}

/** Returns the backend of a process: `backend-1` of `backend-1#4f2a`. */
export function backendIn(process: string): string {
  return process.split('#')[0] ?? process;
}

export function processOf({ backend, boot }: Pick<CarriedOut, 'backend' | 'boot'>): string {
  return `${backend}#${boot}`;
}

/** Returns the cookies that the proxy set or changed: those of the answer that the backend did not send. */
export function proxyCookies({ answer }: Pick<RawExchange, 'answer'>, by: CarriedOut | undefined): string[] {
  const own = new Set(by?.cookies);
  return headerValues(answer?.head ?? [], 'set-cookie').filter(line => !own.has(line));
}

/** Returns name and value of a cookie, without its attributes. */
function pairIn(line: string): readonly [name: string, value: string] {
  const [, name = '', value = ''] = /^([^=;]*)=?([^;]*)/.exec(line) ?? [];
  return [name, value];
}

function countsOfNames(cookies: readonly string[]): number[] {
  const names = cookies.map(line => pairIn(line)[0]);
  return names.map(name => names.filter(other => other === name).length);
}

/** Cookies and lengths come and go with the user; they are no message of the proxy to the app. */
const ordinary = new Set(['cookie', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'x-exchange']);

function namesIn({ rawHeaders }: CarriedOut): ReadonlySet<string> {
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map(name => name.toLowerCase());
  return new Set(names.filter(name => !ordinary.has(name)));
}

function isCut({ url }: CarriedOut): boolean {
  return url.startsWith('/cut');
}

/** A whole answer of a backend must stand in its log: otherwise nothing can be said about what was carried out. */
function findDisagreement(exchange: RawExchange, failed: boolean, by: CarriedOut | undefined): string | undefined {
  if (failed || by !== undefined) return undefined;
  const answering = witnessOf(exchange);
  if (answering === undefined) return `${exchange.id} was answered ${exchange.answer?.status} by no backend`;
  return `${exchange.id} was answered by ${answering}, and its log does not have the request`;
}

/** One statement of a cell, with the first fact that shows it. */
interface Part {
  readonly kind: CellKind;
  readonly says: string;
  readonly why: string;
  readonly fact: Fact;
}

/** Computes the cell of one phase of an experiment. */
export function judgePhase(recording: Recording, phase: string): Cell {
  const all = factsOf(recording);
  const judged = all.filter(fact => fact.exchange.phase === phase);
  if (judged.length === 0) return unknown('no request was sent in this phase');
  const disagreement = all.find(fact => fact.disagreement !== undefined)?.disagreement;
  if (disagreement !== undefined) return unknown(disagreement);
  const before = all.find(({ exchange, failed }) => exchange.phase === 'before' && failed);
  if (before !== undefined) return unknown(`${before.exchange.id} failed before anything had happened`);
  return cellOf(partsOf(judged), judged, recording);
}

export function unknown(why: string): Cell {
  return { kind: 'unknown', says: 'unknown', why: toSentence(why) };
}

export function notApplicable(why: string): Cell {
  return { kind: 'not applicable', says: 'n/a', why: toSentence(why) };
}

/** Reasons are also messages of errors, which begin in lower case. */
function toSentence(reason: string): string {
  const first = reason.split('\n')[0] ?? '';
  return `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`;
}

function cellOf(parts: readonly Part[], judged: readonly Fact[], { exchanges }: Recording): Cell {
  const sorted = [...parts].sort((a, b) => cellKinds.indexOf(a.kind) - cellKinds.indexOf(b.kind));
  const [worst] = sorted;
  const place = (fact: Fact | undefined) => (fact === undefined ? undefined : exchanges.indexOf(fact.exchange));
  if (worst === undefined) {
    const why = `${formatCount(judged.length, 'request')} answered, each by the process that has the session.`;
    return { kind: 'kept', says: 'kept', why, decisive: place(judged[0]) };
  }
  const says = sorted.map(part => part.says).join(', ');
  return { kind: worst.kind, says, why: sorted.map(({ why }) => why).join(' '), decisive: place(worst.fact) };
}

function partsOf(judged: readonly Fact[]): Part[] {
  const completed = judged.filter(fact => fact.completed);
  const silent = judged.filter(fact => isSilent(fact));
  const twice = judged.filter(isTwice);
  const cut = judged.filter(isCutPassedOn);
  const failed = judged.filter(fact => fact.failed && !isCutPassedOn(fact));
  const several = judged.filter(fact => fact.cookiesOfOneName > 1);
  const moved = judged.filter(fact => (fact.moved || fact.forgotten) && fact.told);
  return [
    part('silent loss', completed, 'cut answer completed', () => 'A cut answer arrived as if it were whole.'),
    part('silent loss', silent, silentWords(silent), describeSilent),
    part('twice', twice, 'carried out twice', describeTwice),
    part('error', failed, `error for ${failed.length} of ${judged.length}`, describeErrors),
    part('error', cut, 'cut passed on', () => 'The answer ended where the backend cut it off, so the user can tell.'),
    part('several cookies', several, 'several cookies', () => 'One answer has several cookies of one name.'),
    part('moved', moved, 'moved', () => 'The user was bound to another process, and the proxy said so.'),
  ].flatMap(each => each ?? []);
}

function part(
  kind: CellKind,
  facts: readonly Fact[],
  says: string,
  why: (facts: readonly Fact[]) => string,
): Part | undefined {
  const [fact] = facts;
  return fact === undefined ? undefined : { kind, says, why: why(facts), fact };
}

/** The user came to a process without the session, and the proxy has told neither browser nor app. */
function isSilent({ moved, forgotten, told }: Fact): boolean {
  return (moved || forgotten) && !told;
}

/** A backend cut the answer off, and so did the proxy. */
function isCutPassedOn({ failed, exchange: { answer }, carriedOut }: Fact): boolean {
  return failed && answer !== undefined && answer.status < 400 && carriedOut.some(isCut);
}

/** A repeated GET does no harm. Other methods must be carried out once. */
function isTwice({ exchange, carriedOut }: Fact): boolean {
  return exchange.method !== 'GET' && carriedOut.length > 1;
}

function silentWords(silent: readonly Fact[]): string {
  return silent.some(({ moved }) => moved) ? 'silently moved' : 'silently forgotten';
}

function describeSilent(silent: readonly Fact[]): string {
  const what = silent.some(({ moved }) => moved) ? 'Another backend answered' : 'The process had forgotten the session';
  return `${what}, and the proxy told neither the browser nor the app.`;
}

function describeTwice([first]: readonly Fact[]): string {
  return `${first?.exchange.id} was carried out by ${first?.carriedOut.map(({ backend }) => backend).join(' and ')}.`;
}

function describeErrors(failed: readonly Fact[]): string {
  const done = failed.filter(({ exchange, carriedOut }) => exchange.method !== 'GET' && carriedOut.length > 0).length;
  const ends = [...new Set(failed.map(({ exchange }) => exchange.failure ?? `status ${exchange.answer?.status}`))];
  const lost = done === 0 ? '' : ` Of them ${done} had been carried out.`;
  return `${formatCount(failed.length, 'request')} ended with ${ends.join(' and ')}.${lost}`;
}

function formatCount(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`;
}

/** The proxy has no means for what a row does. The message says what is missing. */
export class NoMeans extends Error {
  override readonly name = 'NoMeans';
}

/** A change that a row made to the system could not be confirmed. The message says what was expected. */
export class Unestablished extends Error {
  override readonly name: string = 'Unestablished';
}

/** A change that a row made had no effect, as a later look shows. So the row proves nothing, whatever its users saw. */
export class WithoutEffect extends Unestablished {
  override readonly name = 'WithoutEffect';
}
