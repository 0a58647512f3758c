import { type Attack, Tries } from '../attack.js';
import type { AttackBrowser } from '../tools/browser.js';
import { currentHandleIn } from '../tools/session-list.js';
import { isHonoured, logIn, logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'one other session': ['careless-accounts'],
  'all other sessions': ['careless-accounts'],
  'all sessions': ['careless-accounts'],
} as const;

const invented = 'A'.repeat(43);
/** 400 refuses a body without a nonce. */
const refusals = [400, 403];

/** A thief of one cookie could log the owner out everywhere else, and so keep the account. */
export const endedByThief: Attack = {
  title: "end a user's other sessions with a stolen cookie and without the password",
  asvs: ['7.5.2'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  for (const nonce of [undefined, '', invented]) {
    for (const [probe, path] of [
      ['one other session', '/account/sessions/end'],
      ['all other sessions', '/account/sessions/end-others'],
      ['all sessions', '/logout-everywhere'],
    ] as const) {
      const { user, browser: owner } = await logInFreshUser(target);
      const stolen = target.browser();
      await logIn(stolen, user, target.password);
      const fields = probe === 'one other session' ? { nonce, handle: await handleOf(owner) } : { nonce };
      const answer = await stolen.copy().post(path, fields);
      const how = nonce === undefined ? 'without a nonce' : `with the nonce "${nonce}"`;
      tries.of(probe).addRequest(`POST ${path} was carried out ${how}`, answer, ...refusals);
      tries.of(probe).add(`POST ${path} ended the session of the owner`, !(await isHonoured(owner, user)), answer);
    }
  }
  return tries.result();
}

/** Asks the owner, and not the thief: a weak shop lists the sessions of other users too, which other attacks use now. */
async function handleOf(owner: AttackBrowser): Promise<string | undefined> {
  return currentHandleIn(await owner.get('/account/sessions'));
}
