import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { type AppUnderAttack, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';

export const refreshRace: AppAttack = {
  title: 'one refresh token twice, at the same moment and one after the other: at most one may go on',
  asvs: ['RFC 9700'],
  run,
};

async function run(app: AppUnderAttack) {
  if (!app.has('refresh')) return notApplicable('the journey has no step refresh');
  const tries = new UnnamedTries();
  for (const isAtOnce of [true, false]) await tryTwice(app, tries, isAtOnce);
  return tries.conclude();
}

/** Uses one refresh token twice. Success: both lines of tokens can be refreshed again, and both open the session. */
async function tryTwice(app: AppUnderAttack, tries: UnnamedTries, isAtOnce: boolean): Promise<void> {
  const member = await app.logIn();
  const lines = [member.browser.copy(), member.browser.copy()];
  const refresh = async (browser: (typeof lines)[number]) => {
    const answer = await browser.send('refresh', browser.fill('refresh'));
    if (answer.isDone) browser.keep('refresh', answer);
    return answer;
  };
  const firsts = [];
  if (isAtOnce) firsts.push(...(await Promise.all(lines.map(refresh))));
  else for (const line of lines) firsts.push(await refresh(line));
  if (!firsts.some(({ isDone }) => isDone))
    throw new Inconclusive(`the session could not be refreshed: ${firsts[0]?.describe()}`);
  const seconds = [];
  for (const line of lines) seconds.push(await refresh(line));
  const reads = [];
  for (const line of lines) reads.push(await line.send('read', line.fill('read')));
  const isForked =
    [...firsts, ...seconds].every(({ isDone }) => isDone) && reads.every(read => showsMember(read, member));
  const when = isAtOnce ? 'at the same moment' : 'one after the other';
  tries.add(
    `one refresh token, used twice ${when}, gave two lines of tokens that both go on`,
    isForked,
    ...firsts,
    ...reads,
  );
}
