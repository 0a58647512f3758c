import { expect } from 'chai';
import { inferJourney } from '#src/record/infer/infer-journey.js';
import type { Inferred, Passes, RecordedExchange } from '#src/record/recording.js';
import { tryJourney } from '#src/simulator/app-check/trial.js';
import { journey as schema, type WrittenJourney } from '#src/simulator/scenario/journey/journey.js';
import { withHttpServer } from '../../with-http-server.js';
import { type AppKind, makeApp } from './made-app.js';
import { RecordingBrowser } from './recording-browser.js';

/** Uses an app as a person does: logs in, adds the item, looks at it, logs out. */
export type Visit = (browser: RecordingBrowser, user: string, item: string) => Promise<unknown>;

export const typed = { users: ['hf-user-1', 'hf-user-2'], items: ['hf-item-1', 'hf-item-2'] } as const;

/** Records the three passes, each in a fresh browser. */
export async function recordPasses(
  origin: string,
  visit: Visit,
  visitAnonymously: (browser: RecordingBrowser) => Promise<unknown>,
  { users, items }: { readonly users: readonly [string, string]; readonly items: readonly [string, string] } = typed,
): Promise<Passes> {
  const record = async (work: (browser: RecordingBrowser) => Promise<unknown>): Promise<RecordedExchange[]> => {
    const browser = new RecordingBrowser(origin);
    await work(browser);
    return browser.exchanges;
  };
  const pass = async (i: 0 | 1) => ({
    user: users[i],
    item: items[i],
    exchanges: await record(browser => visit(browser, users[i], items[i])),
  });
  return { first: await pass(0), second: await pass(1), anonymous: await record(visitAnonymously) };
}

/** Infers, and gives each question the answer that `choose` picks from its candidates. */
export function inferWith(
  passes: Passes,
  choose: (labels: readonly string[]) => number | undefined = () => undefined,
): Inferred {
  const answers = new Map<string, string>();
  for (let asked = 0; asked < 10; asked += 1) {
    const inferred = inferJourney(passes, answers);
    if (inferred.kind !== 'question') return inferred;
    const { id, candidates } = inferred.question;
    const chosen = choose(candidates.map(({ label }) => label));
    if (chosen === undefined) return inferred;
    answers.set(id, candidates[chosen]?.id ?? '');
  }
  throw new Error('more than ten questions');
}

/** Returns the journey; fails if there is none, or if the schema refuses it. */
export function expectJourney(inferred: Inferred): WrittenJourney {
  if (inferred.kind !== 'journey') throw new Error(JSON.stringify(inferred, undefined, 1));
  expect(schema.safeParse(inferred.journey).error?.issues).to.equal(undefined);
  return inferred.journey;
}

/** Tries every step of a journey against the running app, as `holdfast check` does. */
export async function expectFit(origin: string, written: WrittenJourney, user = 'user-7'): Promise<string[]> {
  const mapping = schema.parse(written);
  if (mapping === 'shop') throw new Error('the shop has no mapping');
  const steps = await tryJourney(origin, mapping, { user, timeoutMs: 5_000 });
  const wrong = steps.filter(({ advice }) => advice !== undefined);
  expect(
    wrong.map(({ what, advice }) => ({ what, ...advice })),
    JSON.stringify(written, undefined, 1),
  ).to.deep.equal([]);
  return steps.map(({ what }) => what);
}

/** Records, infers and tries a made app. Returns its journey. */
export function inferMadeApp(kind: AppKind): Promise<WrittenJourney> {
  return withHttpServer(makeApp(kind), async origin => {
    const passes = await recordPasses(origin, visitMadeApp(kind), browser => look(browser, kind));
    // Where a message and a list show the item once, it asks which of them is the list.
    const isList = (label: string) => label.includes('class="sku"');
    const written = expectJourney(
      inferWith(passes, labels => (labels.some(isList) ? labels.findIndex(isList) : undefined)),
    );
    await expectFit(origin, written);
    return written;
  });
}

function look(
  browser: RecordingBrowser,
  kind: AppKind,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  return kind.cart === 'html' ? browser.visit('/cart') : browser.call('GET', '/cart', { headers });
}

function visitMadeApp(kind: AppKind): Visit {
  const isPage = kind.cart === 'html';
  const hasForms =
    isPage && (kind.csrf === 'hidden' || kind.csrf === 'none') && (kind.sends === 'form' || kind.sends === 'multipart');
  return async (browser, name, sku) => {
    let bearer: Readonly<Record<string, string>> = {};
    const readToken = async (page: string): Promise<Readonly<Record<string, string>>> => {
      if (isPage || kind.csrf === 'cookie') await look(browser, kind, bearer);
      if (kind.csrf === 'meta')
        return { 'x-csrf-token': decode(/csrf-token" content="([^"]*)"/.exec(browser.body)?.[1] ?? '') };
      if (kind.csrf === 'cookie') return { 'x-csrf-token': decodeURIComponent(browser.cookie('XSRF-TOKEN') ?? '') };
      return kind.csrf === 'json' ? { 'x-csrf-token': (await browser.call('GET', page)).csrf ?? '' } : {};
    };
    const send = (
      path: string,
      fields: Readonly<Record<string, string>>,
      headers: Readonly<Record<string, string>>,
    ) => {
      if (kind.sends === 'query') return browser.call('POST', `${path}?${new URLSearchParams(fields)}`, { headers });
      return browser.call('POST', path, { ...(kind.sends === 'json' ? { json: fields } : { form: fields }), headers });
    };
    if (isPage) await browser.visit('/login');
    if (hasForms) await browser.submit('/login', { name, password: 'secret' });
    else {
      const told = await send('/login', { name, password: 'secret' }, await readToken('/login'));
      if (kind.session === 'bearer') bearer = { authorization: `Bearer ${told.access_token}` };
    }
    await browser.call('GET', '/me', { headers: bearer });
    await look(browser, kind, bearer);
    const path = await addPath(browser, kind, bearer);
    if (hasForms) await browser.submit(path, { sku });
    else await send(path, { sku }, { ...(await readToken('/me')), ...bearer });
    await look(browser, kind, bearer);
    if (hasForms) await browser.submit('/logout', {});
    else await browser.call('POST', '/logout', { headers: { ...bearer, ...(await readToken('/me')) } });
  };
}

async function addPath(
  browser: RecordingBrowser,
  { ids }: AppKind,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const { id = '' } = ids ? await browser.call('GET', '/me', { headers }) : {};
  return ids ? `/cart/${id}/add` : '/cart/add';
}

function decode(text: string): string {
  return text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
}
