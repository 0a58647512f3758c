import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Argv } from 'yargs';
import type { BackendTls } from '../../proxy/backend-tls.js';
import { devCertificate } from '../../proxy/front/dev-certificate.js';
import { readTlsPair, type TlsFiles, TlsPairError } from '../../proxy/front/tls-pair.js';
import { trustedPeers } from '../../proxy/headers/trusted-peers.js';
import type { ProxyOptions } from '../../proxy/options.js';
import { UsageError } from '../lib/errors.js';

/** What `holdfast proxy` was given about TLS, both sides, and about the proxies in front. */
export interface TlsArgs {
  readonly tls: 'dev' | undefined;
  readonly 'tls-cert': string | undefined;
  readonly 'tls-key': string | undefined;
  readonly 'backend-ca': string | undefined;
  readonly 'backend-server-name': string | undefined;
  readonly 'backend-insecure': boolean;
  readonly 'proxy-protocol': boolean;
  readonly forwarded: boolean;
  readonly trust: readonly string[];
}

export function tlsFlags<T>(yargs: Argv<T>) {
  return yargs
    .option('tls', {
      choices: ['dev'] as const,
      requiresArg: true,
      describe: 'dev: speak TLS with a self-signed certificate for localhost, made in memory',
    })
    .option('tls-cert', {
      type: 'string',
      requiresArg: true,
      normalize: true,
      describe: 'speak TLS: PEM file of the certificate, its chain behind it (with --tls-key)',
    })
    .option('tls-key', {
      type: 'string',
      requiresArg: true,
      normalize: true,
      describe: 'PEM file of the private key, not encrypted',
    })
    .option('backend-ca', {
      type: 'string',
      requiresArg: true,
      normalize: true,
      describe: 'PEM file of the authorities that https:// backends are verified against (else those of Node)',
    })
    .option('backend-server-name', {
      type: 'string',
      requiresArg: true,
      describe: 'the name that certificates of https:// backends must be for (else the host of --backend)',
    })
    .option('backend-insecure', {
      type: 'boolean',
      default: false,
      describe: 'take any certificate of https:// backends: anyone on the way can read and change everything',
    })
    .option('proxy-protocol', {
      type: 'boolean',
      default: false,
      describe: 'every connection begins with a PROXY header, v1 or v2, and comes from a peer in --trust',
    })
    .option('forwarded', {
      type: 'boolean',
      default: false,
      describe: 'tell backends of the client in a Forwarded field too (RFC 7239)',
    })
    .option('trust', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe:
        'addresses or networks of proxies in front, whose X-Forwarded-*, Forwarded and PROXY header are believed',
    });
}

/** Checks the flags, and reads the certificates and the key. What `--tls dev` asks for is made by `devTls`. */
export function tlsOptions(
  args: TlsArgs,
): Pick<ProxyOptions, 'tls' | 'backendTls' | 'proxyProtocol' | 'trusted' | 'forwarded'> {
  const source = tlsSource(args);
  return {
    tls: source === undefined || source === 'dev' ? undefined : readPair(source).pair,
    backendTls: backendTls(args),
    proxyProtocol: args['proxy-protocol'],
    trusted: trustedAddresses(args),
    forwarded: args.forwarded,
  };
}

export async function devTls({ tls }: TlsArgs): Promise<Pick<ProxyOptions, 'tls'>> {
  return tls === 'dev' ? { tls: await devCertificate() } : {};
}

/** What works and should be mended all the same, a line each. */
export function tlsAdvice(args: TlsArgs): readonly string[] {
  const source = tlsSource(args);
  const front = source === undefined ? [] : source === 'dev' ? [devAdvice] : readPair(source).warnings;
  return args['backend-insecure'] ? [...front, insecureAdvice] : front;
}

const devAdvice =
  '--tls dev: a self-signed certificate for localhost, gone with this process; curl takes it with --insecure';
const insecureAdvice =
  '--backend-insecure: no certificate of a backend is looked at; name who signed them with --backend-ca FILE instead';

/** As they are typed again for another process, before plain backends. */
export function tlsWords(args: TlsArgs): string[] {
  const words = args.trust.map(entry => `--trust=${entry}`);
  if (args.tls !== undefined) words.push(`--tls=${args.tls}`);
  if (args['tls-cert'] !== undefined) words.push(`--tls-cert=${path.resolve(args['tls-cert'])}`);
  if (args['tls-key'] !== undefined) words.push(`--tls-key=${path.resolve(args['tls-key'])}`);
  if (args['proxy-protocol']) words.push('--proxy-protocol');
  if (args.forwarded) words.push('--forwarded');
  return words;
}

export function speaksTls(args: TlsArgs): boolean {
  return tlsSource(args) !== undefined;
}

function readPair(files: TlsFiles): ReturnType<typeof readTlsPair> {
  try {
    return readTlsPair(files, Date.now());
  } catch (error) {
    throw error instanceof TlsPairError ? new UsageError(error.message) : error;
  }
}

/** `--trust a,b`: checked here, where a mistake is a sentence. */
function trustedAddresses({ trust, 'proxy-protocol': proxyProtocol }: TlsArgs): readonly string[] {
  const entries = trust.flatMap(text => text.split(',').map(entry => entry.trim()));
  if (proxyProtocol && entries.length === 0) {
    throw new UsageError(
      '--proxy-protocol without --trust: anyone could claim any address; ' +
        'say who is in front, for example --proxy-protocol --trust 10.0.0.0/8.',
    );
  }
  try {
    trustedPeers(entries);
  } catch (error) {
    throw new UsageError(`--trust: ${wordsOf(error)}`);
  }
  return entries;
}

function tlsSource({ tls, 'tls-cert': certFile, 'tls-key': keyFile }: TlsArgs): TlsFiles | 'dev' | undefined {
  if (tls !== undefined) {
    if (certFile === undefined && keyFile === undefined) return tls;
    throw new UsageError('--tls dev makes a certificate of its own: leave it out, or --tls-cert and --tls-key.');
  }
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined) throw new UsageError('--tls-cert needs the private key: add --tls-key FILE.');
  if (keyFile !== undefined) throw new UsageError('--tls-key needs the certificate: add --tls-cert FILE.');
  return undefined;
}

function backendTls(args: TlsArgs): BackendTls | undefined {
  const { 'backend-ca': file, 'backend-server-name': servername, 'backend-insecure': insecure } = args;
  if (file === undefined && servername === undefined && !insecure) return undefined;
  if (file !== undefined && insecure) {
    throw new UsageError(
      '--backend-insecure looks at no certificate, so --backend-ca says nothing: give one of the two.',
    );
  }
  if (servername !== undefined && !/^[\w-]+(?:\.[\w-]+)*$/.test(servername)) {
    throw new UsageError(`--backend-server-name "${servername}": expected a host name such as backend.internal.`);
  }
  return { ca: file === undefined ? undefined : readAuthorities(file), rejectUnauthorized: !insecure, servername };
}

function readAuthorities(file: string): string {
  try {
    const ca = readFileSync(file, 'utf8');
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('no certificate in it');
    createSecureContext({ ca });
    return ca;
  } catch (error) {
    throw new UsageError(
      `--backend-ca "${file}": ${wordsOf(error)}; expected PEM certificates (-----BEGIN CERTIFICATE-----).`,
    );
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
