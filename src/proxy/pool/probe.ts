import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HealthOptions } from '../options.js';
import { type BackendTls, buildBackendTlsOptions, classifyTlsFailure, hostOf } from '../sockets/backend-tls.js';
import { isShortage } from '../sockets/own-failure.js';

export interface ProbeResult {
  readonly ok: boolean;
  /** Text for people: the status, or why there was none. */
  readonly reason: string;
  /** The backend's name for its present boot, if it gave one. */
  readonly incarnation: string | undefined;
  /** This machine could not send the probe. That says nothing about the backend. */
  readonly unasked?: true;
}

/** The limit for reading a health check's body. */
const bodyBytesMax = 16 * 1024;

/**
 * Sends one health check. Never rejects; `abort` ends it early. It is a whole HTTP exchange on a new connection. The
 * kernel still accepts connections for a stopped process, so a bare connect proves nothing. A pooled connection would
 * say little about new ones.
 */
export async function probe(
  url: URL,
  { path, timeoutMs }: Pick<HealthOptions, 'path' | 'timeoutMs'>,
  abort: AbortController,
  backendTls?: BackendTls,
): Promise<ProbeResult> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort.abort();
  }, timeoutMs);
  try {
    return await ask(new URL(path, url), abort.signal, backendTls);
  } catch (error) {
    const reason = late ? `no answer within ${timeoutMs} ms` : reasonOf(error);
    return { ok: false, reason, incarnation: undefined, ...(isShortage(error) ? { unasked: true } : {}) };
  } finally {
    clearTimeout(timer);
  }
}

async function ask(url: URL, signal: AbortSignal, backendTls: BackendTls | undefined): Promise<ProbeResult> {
  const answer = await get(url, signal, backendTls);
  const status = answer.statusCode ?? 0;
  const body = await readBeginning(answer);
  const named = answer.headers['holdfast-incarnation'];
  return {
    ok: status >= 200 && status < 300,
    reason: `health check answered ${status}`,
    incarnation: typeof named === 'string' ? named : named ? undefined : parseIncarnation(body),
  };
}

function get(url: URL, signal: AbortSignal, backendTls: BackendTls | undefined): Promise<IncomingMessage> {
  const overTls = url.protocol === 'https:';
  const request = overTls ? httpsRequest : httpRequest;
  const tls = overTls ? buildBackendTlsOptions(hostOf(url), backendTls) : {};
  return new Promise((resolve, reject) => {
    request(url, { ...tls, agent: false, signal, headers: { 'user-agent': 'holdfast-health' } }, resolve)
      .on('error', reject)
      .end();
  });
}

async function readBeginning(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bodyBytesMax) break;
  }
  return Buffer.concat(chunks).toString();
}

/** Reads the field `incarnation` of a JSON object. */
function parseIncarnation(body: string): string | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    const { incarnation }: { incarnation?: unknown } = JSON.parse(body);
    return typeof incarnation === 'string' ? incarnation : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  if (classifyTlsFailure(code) !== 'tls_certificate_error') return code;
  const flag = code.startsWith('ERR_TLS_CERT_ALTNAME') ? '--backend-server-name' : '--backend-ca';
  return `its certificate is not accepted (${code}); see ${flag}`;
}
