import { type AppReply, type JourneyRequest, originPlaceholder } from '../../simulator/users/journey.js';
import type { AttackExchange } from '../tools/browser.js';

/** A request as it goes out: with its Cookie header, and with the values that it carries. */
export interface Outgoing {
  readonly request: JourneyRequest;
  readonly cookie: string | undefined;
}

const bodyCharsMax = 200;
const secretCharsShown = 6;

/**
 * Builds the evidence of one exchange. It shows no secret in full. `secrets` are the values that are known to be secret;
 * long runs of characters that tokens consist of are cut as well. Pure.
 */
export function buildMaskedExchange(
  host: string,
  { request, cookie }: Outgoing,
  reply: AppReply,
  secrets: readonly string[],
): AttackExchange {
  const mask = (text: string, run = headRun): string => cutKnown(text, secrets).replace(run, cutSecret);
  const headers = pairsOf(request.headers ?? []).map(
    ([name, value]) => `${name}: ${maskHeader(name, value, mask).replaceAll(originPlaceholder, `http://${host}`)}`,
  );
  const body =
    request.body === undefined ? [] : ['', mask(hidePasswords(request.body), bodyRun).slice(0, bodyCharsMax)];
  const received = Object.entries(reply.headers).flatMap(([name, value]) =>
    [value ?? []].flat().map(each => `${name}: ${maskHeader(name, each, mask)}`),
  );
  return {
    request: [
      `${request.method} ${mask(request.path)} HTTP/1.1`,
      `host: ${host}`,
      ...(cookie === undefined ? [] : [`cookie: ${cutCookies(cookie)}`]),
      ...headers,
      ...body,
    ],
    response: [`HTTP/1.1 ${reply.status ?? ''}`.trim(), ...received],
    body: shortenBody(mask(cutNamedFields(hidePasswords(reply.body)), bodyRun)),
  };
}

/** Cuts each run of characters that may be a token in a text of the app, such as its log. */
export function maskText(text: string): string {
  return text.replace(bodyRun, cutSecret);
}

/** Cuts a secret to its first characters and its length. That is enough to tell two values apart. */
function cutSecret(value: string): string {
  return `${value.slice(0, Math.min(secretCharsShown, value.length >> 1))}…(${value.length} characters)`;
}

function pairsOf(flat: readonly string[]): (readonly [string, string])[] {
  return flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : []));
}

function maskHeader(name: string, value: string, mask: (text: string) => string): string {
  if (name === 'set-cookie') return cutCookies(value.split(';')[0] ?? '') + value.slice(value.split(';')[0]?.length);
  if (/auth|token|csrf|xsrf|key|cookie/i.test(name)) return value.replace(/\S+$/, cutSecret);
  return mask(value);
}

function cutCookies(header: string): string {
  return header.replace(/=([^;]+)/g, (_whole, value: string) => `=${cutSecret(value)}`);
}

function cutKnown(text: string, secrets: readonly string[]): string {
  const known = secrets.filter(({ length }) => length >= 4).flatMap(value => [value, encodeURIComponent(value)]);
  return [...new Set(known)].reduce((shown, value) => shown.replaceAll(value, cutSecret(value)), text);
}

/** Runs of characters that may be a token. A path and a header also hold long words. */
const headRun = /[\w+=~%.-]{24,}/g;
const bodyRun = /[\w+=~%./-]{16,}/g;

const passwordName = 'pass|pwd|secret|otp|\\bpin';
const inForm = new RegExp(`((?:^|&)[^=&]*(?:${passwordName})[^=&]*=)[^&]+`, 'gi');
const inJson = new RegExp(`("[^"]{0,40}(?:${passwordName})[^"]{0,40}"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, 'gi');
const tokenInJson = /("[^"]{0,40}(?:token|jwt|session|csrf)[^"]{0,40}"\s*:\s*")((?:[^"\\]|\\.)+)"/gi;

function hidePasswords(text: string): string {
  return text.slice(0, 10_000).replace(inForm, '$1***').replace(inJson, '$1"***"');
}

function cutNamedFields(text: string): string {
  return text.replace(tokenInJson, (_whole, head: string, value: string) => `${head}${cutSecret(value)}"`);
}

function shortenBody(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it removes control characters
  const line = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length > bodyCharsMax ? `${line.slice(0, bodyCharsMax)}…` : line;
}
