import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { formatKeyRing, generateKeyRing } from '../../key-ring.js';

export interface SharedFiles {
  /** What the backends are told; what a scenario sets itself goes first. */
  readonly env: Readonly<Record<string, string>>;
  /** The key ring of all backends, made afresh; undefined when the scenario gives its own. */
  readonly secretsFile: string | undefined;
}

/** What all backends of one lab share besides the stores, in its directory: their key ring and the shop's accounts. */
export async function makeSharedFiles(
  directory: string,
  given: Readonly<Record<string, string>>,
): Promise<SharedFiles> {
  const accounts = path.join(directory, 'accounts');
  await mkdir(accounts, { mode: 0o700 });
  if (given.SHOP_SECRETS !== undefined || given.SHOP_SECRETS_FILE !== undefined)
    return { env: { SHOP_ACCOUNTS: accounts }, secretsFile: undefined };
  const secretsFile = path.join(directory, 'secrets');
  await writeFile(secretsFile, formatKeyRing(generateKeyRing()), { mode: 0o600, flag: 'wx' });
  return { env: { SHOP_ACCOUNTS: accounts, SHOP_SECRETS_FILE: secretsFile }, secretsFile };
}
