import { type AttackResult, notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { type AppUnderAttack, addUse, type LoggedIn, showsAnyUser, showsMember } from '../app.js';
import { findJwt, type Jwt } from './jwt.js';

/** A token to send, and what is wrong with it. */
export interface ForgedToken {
  readonly what: string;
  readonly token: string;
}

/** The token of the attacker, and the user whose session the attacker wants. */
export interface TokenInUse {
  readonly attacker: LoggedIn;
  readonly victim: LoggedIn;
  /** The value of the cookie or carried value. */
  readonly value: string;
  readonly jwt: Jwt;
}

/**
 * Logs an attacker and a victim in. Returns the signed token of the attacker, or why there is none. Rejects with
 * `Inconclusive` if the app accepts any text in place of the token: then it does not look at the token.
 */
export async function openToken(app: AppUnderAttack): Promise<TokenInUse | { readonly none: AttackResult }> {
  const attacker = await app.logIn();
  const value = app.tokenOf(attacker);
  const jwt = findJwt(value);
  if (jwt === undefined) return { none: notApplicable(`the session (${app.session.name}) is no signed token (JWT)`) };
  const refused = await app.readWith(attacker, value.replace(jwt.text, 'x.y.z'));
  if (showsAnyUser(refused)) throw new Inconclusive('the app reads the session of a user without looking at the token');
  return { attacker, victim: await app.logIn(), value, jwt };
}

/** Reads with each forged token. Success: the answer shows any user, because the app should have refused the token. */
export async function tryForged(
  app: AppUnderAttack,
  { attacker, victim, value, jwt }: TokenInUse,
  forged: readonly ForgedToken[],
): Promise<AttackResult> {
  const tries = new UnnamedTries();
  for (const { what, token } of forged) {
    const answer = await app.readWith(
      attacker,
      value.replace(jwt.text, () => token),
    );
    const isVictim = victim.user !== attacker.user && showsMember(answer, victim);
    const who = isVictim ? ', as another user' : '';
    addUse(tries, `the app accepts a token with ${what}${who}`, answer, showsAnyUser(answer));
  }
  return tries.conclude();
}
