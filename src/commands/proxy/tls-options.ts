import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { engines } from '../../proxy/engines/registry.js';
import { makeDevCertificate, readTlsPair, type TlsFiles, TlsPairError } from '../../proxy/front/tls-pair.js';
import { buildTrustList } from '../../proxy/headers.js';
import type { ProxyOptions } from '../../proxy/options.js';
import type { SettingValues } from '../../proxy/settings.js';
import type { BackendTls } from '../../proxy/sockets.js';
import { messageOf } from '../../shared/text.js';
import { UsageError } from '../lib/flags.js';

export type CertificateArgs = Pick<SettingValues, 'tls' | 'tls-cert' | 'tls-key'>;

type TlsArgs = CertificateArgs &
  Pick<
    SettingValues,
    | 'http2'
    | 'engine'
    | 'backend-ca'
    | 'backend-server-name'
    | 'backend-insecure'
    | 'proxy-protocol'
    | 'forwarded'
    | 'trust'
  >;

/** Checks the flags and reads the certificates and the key. `makeDevTls` makes the certificate of `--tls dev`. */
export function readTlsOptions(
  args: TlsArgs,
): Pick<ProxyOptions, 'tls' | 'http2' | 'backendTls' | 'proxyProtocol' | 'trusted' | 'forwarded'> {
  const source = findTlsSource(args);
  return {
    tls: source === undefined || source === 'dev' ? undefined : readPair(source).pair,
    http2: usesHttp2(args),
    backendTls: readBackendTls(args),
    proxyProtocol: args['proxy-protocol'],
    trusted: readTrustedAddresses(args),
    forwarded: args.forwarded,
  };
}

/** Returns undefined without the flag: HTTP/2 is then offered wherever it can be spoken. */
function usesHttp2(args: TlsArgs): boolean | undefined {
  const { http2, engine } = args;
  if (http2 !== 'on') return http2 === undefined ? undefined : false;
  if (engines[engine]?.http2 === false)
    throw new UsageError(`--http2 on: engine "${engine}" speaks only HTTP/1.1; leave out --engine, or --http2.`);
  if (speaksTls(args)) return true;
  throw new UsageError('--http2 on needs TLS: add --tls-cert FILE and --tls-key FILE, or --tls dev to try it out.');
}

export async function makeDevTls({ tls }: TlsArgs): Promise<Pick<ProxyOptions, 'tls'>> {
  return tls === 'dev' ? { tls: await makeDevCertificate() } : {};
}

/** Warns of unsafe settings, one line each. */
export function listTlsWarnings(args: TlsArgs): readonly string[] {
  const source = findTlsSource(args);
  const front = source === undefined ? [] : source === 'dev' ? [devAdvice] : readPair(source).warnings;
  return args['backend-insecure'] ? [...front, insecureAdvice] : front;
}

const devAdvice =
  '--tls dev: a self-signed certificate for localhost, gone with this process; curl takes it with --insecure';
const insecureAdvice =
  '--backend-insecure: certificates of backends are not verified; name their authority with --backend-ca FILE instead';

/** Returns the options. Throws when the port speaks TLS and a host has no certificate. */
export function checkCertificates(options: ProxyOptions): ProxyOptions {
  const { tls, hosts = [] } = options;
  const bare = hosts.find(host => host.tls === undefined);
  if (tls === undefined && bare !== undefined && hosts.some(host => host.tls !== undefined))
    throw new UsageError(
      `hosts: ${bare.host} has no certificate: give it tls-cert and tls-key, or give them for all hosts at the top.`,
    );
  return options;
}

export function speaksTls(args: CertificateArgs): boolean {
  return findTlsSource(args) !== undefined;
}

function readPair(files: TlsFiles): ReturnType<typeof readTlsPair> {
  try {
    return readTlsPair(files, Date.now());
  } catch (error) {
    throw error instanceof TlsPairError ? new UsageError(error.message) : error;
  }
}

/** Splits `--trust a,b` and checks each entry. */
function readTrustedAddresses({ trust, 'proxy-protocol': proxyProtocol }: TlsArgs): readonly string[] {
  const entries = trust.flatMap(text => text.split(',').map(entry => entry.trim()));
  if (proxyProtocol && entries.length === 0) {
    throw new UsageError(
      '--proxy-protocol without --trust: anyone could claim any address; ' +
        'name the proxies in front, for example --proxy-protocol --trust 10.0.0.0/8.',
    );
  }
  try {
    buildTrustList(entries);
  } catch (error) {
    throw new UsageError(`--trust: ${messageOf(error)}`);
  }
  return entries;
}

function findTlsSource({
  tls,
  'tls-cert': certFile,
  'tls-key': keyFile,
}: CertificateArgs): TlsFiles | 'dev' | undefined {
  if (tls !== undefined) {
    if (certFile === undefined && keyFile === undefined) return tls;
    throw new UsageError('--tls dev makes a certificate of its own: leave it out, or --tls-cert and --tls-key.');
  }
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined) throw new UsageError('--tls-cert needs the private key: add --tls-key FILE.');
  if (keyFile !== undefined) throw new UsageError('--tls-key needs the certificate: add --tls-cert FILE.');
  return undefined;
}

function readBackendTls(args: TlsArgs): BackendTls | undefined {
  const { 'backend-ca': file, 'backend-server-name': servername, 'backend-insecure': insecure } = args;
  if (file === undefined && servername === undefined && !insecure) return undefined;
  if (file !== undefined && insecure) {
    throw new UsageError(
      '--backend-insecure verifies no certificate, so --backend-ca has no effect: give one of the two.',
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
      `--backend-ca "${file}": ${messageOf(error)}; expected PEM certificates (-----BEGIN CERTIFICATE-----).`,
    );
  }
}
