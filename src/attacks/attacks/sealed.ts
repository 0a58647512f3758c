import { type Attack, type AttackResult, notApplicable } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { Forgery } from '../tools/forge-jwt.js';
import { openSeal } from '../tools/forge-seal.js';
import {
  forgeAlteredTokens,
  forgeForeignKeys,
  forgePurposes,
  forgeTimes,
  makeSealForge,
  type SealForge,
} from '../tools/seal-forgeries.js';
import { enrolUser, preLoginOf } from '../tools/second-factor.js';
import { proveContent, sendForgeries } from '../tools/send-forgeries.js';
import { logInFreshUser, reauthenticate } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

export const sealKey: Attack = {
  title: 'send an encrypted token that was altered, sealed with a guessed key or a named file, or not encrypted at all',
  asvs: ['9.1.1', '9.1.2', '9.1.3'],
  probes: {
    'a tag that is wrong': ['seal-trusting'],
    'a guessed key': ['seal-trusting'],
    'a file as key id': ['seal-trusting'],
    'another version': ['seal-trusting'],
  },
  run: target => tryForgeries(target, async forge => [...forgeAlteredTokens(forge), ...forgeForeignKeys(forge)]),
};

/** The tokens are sealed with the key of the shop, as by another service that shares it. So only the times are wrong. */
export const sealTimes: Attack = {
  title: 'send a well-sealed token with limits that are over or no number, or with a time of issue in the future',
  asvs: ['9.2.1'],
  probes: {
    'a limit that is over': ['seal-trusting'],
    'a limit that is no number': ['seal-trusting'],
    'an issue in the future': ['seal-trusting'],
  },
  run: target => tryForgeries(target, async forge => forgeTimes(forge, Date.now())),
};

/** A sealed token has no audience claim: the key itself is derived for one purpose, and each audience has its own. */
export const sealPurpose: Attack = {
  title: 'send a well-sealed token that was made for another purpose in place of a session',
  asvs: ['9.2.2', '9.2.3', '9.2.4'],
  probes: { 'a session for another purpose': ['seal-trusting'], 'a token of another kind': ['seal-trusting'] },
  run: target => tryForgeries(target, async forge => [...forgePurposes(forge), ...(await collectOtherTokens(target))]),
};

/** Collects the other tokens that the shop seals for a browser. */
async function collectOtherTokens(target: Target): Promise<readonly Forgery[]> {
  const { user, browser } = await enrolUser(target);
  const halfway = await preLoginOf(target, user);
  const other = await logInFreshUser(target);
  await reauthenticate(other.browser, target.password);
  const found = [browser, halfway, other.browser].flatMap(({ cookies }) => [...cookies]);
  const sealed = found.filter(([name, token]) => name !== 'session' && /^v\d+\./.test(token));
  if (sealed.length === 0) throw new Inconclusive('the shop sets no other sealed cookie');
  return sealed.map(([name, token]) => ({ probe: 'a token of another kind', what: `the cookie ${name}`, token }));
}

/** Sends every token that `forgeries` makes. The content is that of the attacker's own session. */
async function tryForgeries(
  target: Target,
  forgeries: (forge: SealForge) => Promise<readonly Forgery[]>,
): Promise<AttackResult> {
  if (target.strategy !== 'sealed') return notApplicable('the session cookie is not an encrypted token');
  const forge = await prepareForge(target);
  await proveContent(target, forge.seal(forge.fields), forge.victim);
  return sendForgeries(target, await forgeries(forge));
}

async function prepareForge(target: Target): Promise<SealForge> {
  const { user, browser } = await logInFreshUser(target);
  const ring = await target.keyRing();
  const fields = openSeal(browser.token, ring);
  if (fields[1] !== user) throw new Inconclusive('a sealed token does not name its user in its second field');
  return makeSealForge(browser.token, fields, ring);
}
