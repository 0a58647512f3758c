import yargs, { type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { Predecessor } from '../proxy/restart/handover.js';
import { messageOf } from '../shared/text.js';
import { runInterruptibly, toHandler } from './lib/exit.js';
import { refuseStoreUrls, UsageError } from './lib/flags.js';
import { addProxyFlags, type ProxyArgs } from './proxy/flags.js';
import type { ServeContext } from './proxy/serve.js';
import type { ProxySettings } from './proxy/settings.js';

export const proxy: CommandModule<object, ProxyArgs> = {
  command: 'proxy',
  describe: 'run the load balancer, in front of toy backends or of your own',
  builder: addProxyFlags,
  handler: toHandler(args =>
    runInterruptibly(
      (signal, takeOver) => serveOrLab(args, signal, takeOver),
      'stopping: finishing what is in flight (Ctrl-C again: at once)',
    ),
  ),
};

/** Runs a lab or serves the given backends. Each is loaded when needed: a serving proxy loads no simulator. */
async function serveOrLab(typed: ProxyArgs, signal: AbortSignal, onSignal: ServeContext['onSignal']): Promise<number> {
  const predecessor = Predecessor.find();
  const read = () => readProxySettings(typed);
  try {
    const settings = await read();
    if (!namesBackends(settings.args) && settings.hosts.length === 0) {
      return await (await import('./proxy/lab.js')).runLab(settings, signal);
    }
    return await (await import('./proxy/serve.js')).serve(settings, { signal, read, onSignal, predecessor });
  } catch (error) {
    await predecessor?.reportFailure(messageOf(error));
    throw error;
  }
}

/** Returns the typed flags, completed from the configuration file as it is now. */
async function readProxySettings(typed: ProxyArgs): Promise<ProxySettings> {
  const settings = typed.config === undefined ? useTyped(typed) : await readFromFile(typed.config);
  return settings.checked(args => {
    if (namesBackends(args) && args.backends !== undefined) {
      throw new UsageError(
        '--backends starts toy backends, --backend and --backends-file name yours: give one of the two.',
      );
    }
    if (namesBackends(args)) refuseStoreUrls(args);
    return settings;
  });
}

function namesBackends(args: ProxyArgs): boolean {
  return args.backend !== undefined || args['backends-file'] !== undefined;
}

function useTyped(args: ProxyArgs): ProxySettings {
  return { args, hosts: [], checked: use => use(args) };
}

async function readFromFile(file: string): Promise<ProxySettings> {
  const { readSettings } = await import('./proxy/settings.js');
  const words = hideBin(process.argv);
  return readSettings(file, words.toSpliced(words.indexOf('proxy'), 1), words => addProxyFlags(yargs([...words])));
}
