import type { Argv } from 'yargs';
import { maskUrl } from '../../shared/redis-address.js';
import { type StoreServerName, type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';
import { UsageError } from './errors.js';

/** The flags of the commands that start a lab: the addresses of store servers of the user's own. */
export type StoreArgs = {
  readonly [store in StoreServerName as (typeof storeDescriptors)[store]['flag']]: string | undefined;
};

export function storeOptions<T>(yargs: Argv<T>): Argv<T & StoreArgs> {
  for (const store of storeNames) {
    const { flag, product, example } = storeDescriptors[store];
    const describe = `a ${product} of yours, such as ${example}; default: one is started`;
    yargs.option(flag, { type: 'string', requiresArg: true, describe });
  }
  // The loop adds exactly the flags of StoreArgs, which yargs cannot infer from it.
  return yargs as Argv<T & StoreArgs>;
}

/** Returns the addresses that were given. Throws `UsageError` for one that cannot be used. */
export function parseStoreUrls(args: StoreArgs): StoreUrls {
  const given: { [store in StoreServerName]?: string } = {};
  for (const store of storeNames) {
    const { flag, problem } = storeDescriptors[store];
    const url = args[flag];
    if (url === undefined) continue;
    const wrong = problem(url);
    if (wrong !== undefined) throw new UsageError(`--${flag} "${maskUrl(url)}": ${wrong}.`);
    given[store] = url;
  }
  return given;
}

/** Returns the flags that give these addresses again, without their passwords. */
export function writeStoreFlags(storeUrls: StoreUrls): string[] {
  return storeNames.flatMap(store => {
    const url = storeUrls[store];
    return url === undefined ? [] : [`--${storeDescriptors[store].flag}`, maskUrl(url)];
  });
}

/** Throws `UsageError` when a store is given for the user's own backends: Holdfast cannot tell them its address. */
export function refuseStoreUrls(args: StoreArgs): void {
  const [store] = storeNames.filter(name => args[storeDescriptors[name].flag] !== undefined);
  if (store === undefined) return;
  throw new UsageError(
    `--${storeDescriptors[store].flag} is for toy backends, but --backend names your own: give one of the two.`,
  );
}
