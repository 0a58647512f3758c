import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ModeName } from '#src/modes.js';
import { formatKeyRing, generateKeyRing } from '#src/shared/key-ring.js';
import { freshDirectory } from './accounts/with-directory.js';
import { startModeLab } from './mode-lab.js';
import { type Settings, type ShopProcess, startShop } from './with-shop.js';

/** A shop with a key ring file of its own. */
export interface Keyed {
  readonly shop: ShopProcess;
  readonly file: string;
}

/** Two backends of one pool. Their files have the same ring until a test changes them. */
export interface TwoBackends {
  readonly mode: ModeName;
  readonly one: Keyed;
  readonly two: Keyed;
  /** Starts one more backend of the pool. */
  settings(backend: string): Settings;
  stop(): Promise<void>;
}

/** Starts the backends. Call it in `before`, and `stop` in `after`. */
export async function startTwoBackends(mode: ModeName): Promise<TwoBackends> {
  const [lab, keys] = await Promise.all([startModeLab(mode), freshDirectory()]);
  const ring = formatKeyRing(generateKeyRing());
  const settings = (backend: string, file: string) => lab.settings(backend, { SHOP_SECRETS_FILE: file });
  const start = async (backend: string): Promise<Keyed> => {
    const file = path.join(keys.directory, backend);
    await writeFile(file, ring);
    return { file, shop: await startShop(settings(backend, file)) };
  };
  const [one, two] = await Promise.all([start('backend-1'), start('backend-2')]);
  return {
    mode,
    one,
    two,
    settings: backend => settings(backend, one.file),
    stop: async () => {
      for (const { shop } of [one, two]) shop.signal('SIGKILL');
      await Promise.all([one.shop.ended, two.shop.ended]);
      await Promise.all([lab.stop(), keys.remove()]);
    },
  };
}
