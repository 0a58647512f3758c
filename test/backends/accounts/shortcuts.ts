import { scryptSync } from 'node:crypto';
import type { Account } from '#backends/accounts/accounts.js';
import { type Accounts, changeAccount } from '#backends/accounts/accounts.js';
import type { Member } from './member.js';

/** Imitates elapsed time: no step of this user counts as used, or no lock is active. */
export async function rewrite(accounts: Accounts, user: string, changes: Partial<Account>): Promise<void> {
  await changeAccount(accounts, user, account => ({ next: { ...account, ...changes }, answer: undefined }));
}

/** Sets a password with a cheap hash, as if the member had chosen it. */
export async function choose(accounts: Accounts, member: Member, password: string): Promise<Member> {
  await rewrite(accounts, member.user, { password: cheapHash(password) });
  member.password = password;
  return member;
}

/** Hashes a password at the lowest cost. The shop reads the cost from the hash. */
export function cheapHash(password: string): string {
  const salt = Buffer.alloc(16, 7);
  const hash = scryptSync(password, salt, 32, { N: 2 ** 4, r: 1, p: 1 });
  return `$scrypt$ln=4,r=1,p=1$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}
