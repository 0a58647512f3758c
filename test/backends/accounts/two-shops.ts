import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DirectoryAccounts } from '#backends/accounts/accounts.js';
import { formatKeyRing, generateKeyRing, type KeyRing } from '#src/shared/key-ring.js';
import { type RedisServer, startRedis } from '../../sessions/with-redis.js';
import { type ShopProcess, startShop } from '../with-shop.js';
import { Member } from './member.js';
import { freshDirectory } from './with-directory.js';

export const administratorsPassword = 'the administrator’s own';

/** Two backends that share Redis, the accounts and the key ring. */
export interface TwoShops {
  readonly one: ShopProcess;
  readonly two: ShopProcess;
  readonly redis: RedisServer;
  readonly directory: string;
  /** The same accounts, to skip waiting: for the end of locks and of steps. */
  readonly accounts: DirectoryAccounts;
  readonly keys: KeyRing;
  readonly secretsFile: string;
  /** Returns a user with a new browser, at the first backend. */
  member(user: string): Member;
  administrator(): Member;
  stop(): Promise<void>;
}

/** Starts the shops. Call it in `before`, and `stop` in `after`. */
export async function startTwoShops(): Promise<TwoShops> {
  const redis = await startRedis();
  const { directory, remove } = await freshDirectory();
  const accountsDirectory = path.join(directory, 'accounts');
  const secretsFile = path.join(directory, 'secrets');
  const keys = generateKeyRing();
  await writeFile(secretsFile, formatKeyRing(keys));
  const settings = {
    HOLDFAST_MODE: 'redis',
    REDIS_URL: redis.url,
    SHOP_ACCOUNTS: accountsDirectory,
    SHOP_SECRETS_FILE: secretsFile,
    SHOP_ADMIN_PASSWORD: administratorsPassword,
  };
  const [one, two] = await Promise.all([
    startShop({ ...settings, BACKEND_ID: 'backend-1' }),
    startShop({ ...settings, BACKEND_ID: 'backend-2' }),
  ]);
  const member = (user: string) => new Member(one.url, user);
  return {
    ...{ one, two, redis, directory: accountsDirectory, keys, secretsFile, member },
    accounts: new DirectoryAccounts(accountsDirectory),
    administrator: () => Object.assign(member('admin'), { password: administratorsPassword }),
    stop: async () => {
      for (const shop of [one, two]) shop.signal('SIGKILL');
      await Promise.all([one.ended, two.ended]);
      await redis.stop();
      await remove();
    },
  };
}
