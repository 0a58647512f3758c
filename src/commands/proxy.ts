import yargs, { type Argv, type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { engines } from '../proxy/engines/registry.js';
import { UsageError } from './lib/errors.js';
import { exiting } from './lib/exit.js';
import { interruptible } from './lib/interrupt.js';
import { refuseStoreUrls, storeOptions } from './lib/store-options.js';
import { balanceFlags } from './proxy/balance-options.js';
import { proxyHelp } from './proxy/help.js';
import { operationFlags } from './proxy/operation-options.js';
import type { ProxyArgs } from './proxy/options.js';
import type { ProxySettings } from './proxy/settings.js';
import { tlsFlags } from './proxy/tls-options.js';
import { workersFlags } from './proxy/workers-options.js';

export const proxy: CommandModule<object, ProxyArgs> = {
  command: 'proxy',
  describe: 'run the load balancer: before toy backends of its own, or before yours',
  builder: options,
  handler: exiting(args =>
    interruptible(
      (signal, takeOver) => serveOrLab(args, signal, own => takeOver('SIGHUP', own)),
      'stopping: finishing what is in flight (Ctrl-C again: at once)',
    ),
  ),
};

/** Each is loaded when it is the one: the proxy that serves a site carries no simulator in its memory. */
async function serveOrLab(
  typed: ProxyArgs,
  signal: AbortSignal,
  onHangUp: (reload: () => void) => void,
): Promise<number> {
  const read = () => settingsOf(typed);
  const settings = await read();
  if (settings.args.backend === undefined) {
    return (await import('./proxy/lab.js')).runLab(settings, signal);
  }
  return (await import('./proxy/serve.js')).serve(settings, read, signal, onHangUp);
}

/** What was typed, and what the file says now. */
async function settingsOf(typed: ProxyArgs): Promise<ProxySettings> {
  const settings = typed.config === undefined ? plain(typed) : await fromFile(typed.config);
  return settings.checked(args => {
    if (args.backend !== undefined && args.backends !== undefined) {
      throw new UsageError('--backends starts toy backends, --backend names yours: give one of the two.');
    }
    if (args.backend !== undefined) refuseStoreUrls(args);
    return settings;
  });
}

function plain(args: ProxyArgs): ProxySettings {
  return { args, checked: use => use(args) };
}

async function fromFile(file: string): Promise<ProxySettings> {
  const { readSettings } = await import('./proxy/settings.js');
  const words = hideBin(process.argv);
  return readSettings(file, words.toSpliced(words.indexOf('proxy'), 1), words => options(yargs([...words])));
}

export function options(yargs: Argv): Argv<ProxyArgs> {
  return proxyHelp(workersFlags(operationFlags(tlsFlags(storeOptions(safety(health(balanceFlags(where(yargs)))))))));
}

function where(yargs: Argv) {
  return yargs
    .option('mode', { type: 'string', default: 'sticky', requiresArg: true, describe: 'how sessions are kept' })
    .option('backends', { type: 'number', requiresArg: true, describe: 'how many toy backends to start (default 3)' })
    .option('backend', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'origin of one of your backends; a name and a weight if you like: red=http://…,weight=3; repeatable',
    })
    .option('host', { type: 'string', default: '127.0.0.1', requiresArg: true, describe: 'address to listen on' })
    .option('port', { type: 'number', default: 8080, requiresArg: true, describe: '0 takes a free one' })
    .option('admin-port', { type: 'number', default: 8081, requiresArg: true, describe: 'admin API, loopback only' })
    .option('engine', { type: 'string', default: 'wire', requiresArg: true, describe: keys(engines) })
    .option('affinity', {
      choices: ['on', 'off'] as const,
      requiresArg: true,
      describe: 'overrides what the mode says',
    });
}

function health<T>(yargs: Argv<T>) {
  return yargs
    .option('health-path', {
      type: 'string',
      default: '/health',
      requiresArg: true,
      describe: 'what the checks ask for',
    })
    .option('health-interval', { type: 'string', default: '2s', requiresArg: true, describe: 'between two checks' })
    .option('health-timeout', {
      type: 'string',
      default: '2s',
      requiresArg: true,
      describe: 'how long a check may take',
    })
    .option('health-fall', { type: 'number', default: 3, requiresArg: true, describe: 'failed checks until down' })
    .option('health-rise', { type: 'number', default: 2, requiresArg: true, describe: 'good checks until up' });
}

function safety<T>(yargs: Argv<T>) {
  return yargs
    .option('drain', {
      type: 'string',
      requiresArg: true,
      describe: 'how long a drain keeps bound browsers (300s; without affinity 30s)',
    })
    .option('on-lost-affinity', {
      choices: ['rebind', 'temporary', 'strict'] as const,
      default: 'rebind' as const,
      requiresArg: true,
      describe: 'when the bound backend is gone: another for good, another for now, or 503',
    })
    .option('pool', {
      type: 'string',
      default: '',
      requiresArg: true,
      describe: 'name of this pool, part of the cookie name',
    })
    .option('same-site', {
      choices: ['Lax', 'Strict', 'None'] as const,
      default: 'Lax' as const,
      requiresArg: true,
      describe: 'of the affinity cookie',
    })
    .option('name-backends', {
      type: 'boolean',
      default: false,
      describe: 'each answer says which backend gave it (holdfast-backend, holdfast-incarnation)',
    })
    .option('secrets-file', {
      type: 'string',
      requiresArg: true,
      normalize: true,
      describe:
        'key ring of the affinity cookie, id:hex,id:hex, newest first (or HOLDFAST_SECRETS); shared by all proxies',
    });
}

function keys(registry: Readonly<Record<string, unknown>>): string {
  return Object.keys(registry).join(' | ');
}
