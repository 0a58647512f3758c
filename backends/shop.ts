import path from 'node:path';
import { createProcessFolder, FolderTaken, type ProcessFolder } from '#backends/shared-list/process-folder.js';
import { modes } from '#src/modes.js';
import { type Accounts, DirectoryAccounts, MemoryAccounts } from './accounts/accounts.js';
import { BadEnvironment, type Environment, type Keys, readEnvironment } from './environment.js';
import { type RunningShop, startShop } from './server.js';

/** Runs the shop. Exit codes are those of the whole project: 0 stopped on request, 3 wrong usage, 4 the machine
 * prevents it. */
async function main(): Promise<void> {
  const environment = loadEnvironment();
  const shop = await start(environment, openAccounts(environment), await takeFolder(environment));
  // The handler runs once: a second signal is not caught and ends the process at once.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(shop));
  if (environment.keys.isFromFile) process.on('SIGHUP', () => reload(environment.keys));
  console.log(`${environment.backend} listening on ${shop.url}`);
}

function loadEnvironment(): Environment {
  try {
    return readEnvironment(process.env);
  } catch (error) {
    if (!(error instanceof BadEnvironment)) throw error;
    return giveUp(3, error.message);
  }
}

function openAccounts({ accountsDirectory: directory }: Environment): Accounts {
  if (directory === undefined) return new MemoryAccounts();
  try {
    return new DirectoryAccounts(directory);
  } catch (error) {
    return giveUp(4, `SHOP_ACCOUNTS cannot be used: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

/** Creates the folder of this process, if sessions are in memory and backends share a directory. Then each backend can
 * list and end the sessions of the others. No user can have the name of the folder. */
async function takeFolder({
  mode,
  backend,
  accountsDirectory: directory,
}: Environment): Promise<ProcessFolder | undefined> {
  if (modes[mode].store !== 'memory' || directory === undefined) return undefined;
  try {
    return await createProcessFolder(path.join(directory, '.sessions'), backend);
  } catch (error) {
    if (error instanceof FolderTaken) return giveUp(4, namesakeMessage(backend, directory));
    return giveUp(4, `SHOP_ACCOUNTS cannot be used: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function namesakeMessage(backend: string, directory: string): string {
  const what = `Another backend with BACKEND_ID ${backend} and SHOP_ACCOUNTS ${directory} is running`;
  return `${what}: give each backend its own BACKEND_ID, or stop that one first.`;
}

async function start(
  environment: Environment,
  accounts: Accounts,
  folder: ProcessFolder | undefined,
): Promise<RunningShop> {
  try {
    return await startShop(environment, accounts, folder);
  } catch (error) {
    return giveUp(4, cannotListen(environment, error));
  }
}

function cannotListen({ host, port }: Environment, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is in use: stop the program that has it, or set PORT to another (0 takes a free one).`;
  }
  if (code === 'EACCES') return `Port ${port} needs privileges: set PORT to 1024 or higher (0 takes a free one).`;
  return `Cannot listen on ${host} port ${port}: ${error instanceof Error ? error.message : String(error)}.`;
}

function reload(keys: Keys): void {
  try {
    keys.reload();
    const ids = keys.ring().map(({ id }) => id);
    console.error(`the key ring was read again: ${ids.join(', ')}`);
  } catch (error) {
    console.error(`the key ring stays as it was: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function giveUp(code: number, sentences: string): never {
  console.error(sentences);
  process.exit(code);
}

async function stop(shop: RunningShop): Promise<void> {
  await shop.close();
  process.exit(0);
}

await main();
