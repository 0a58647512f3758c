import { isIP } from 'node:net';
import { readSetCookie } from '../../tools/browser.js';

/** Says which cookie of an answer a browser ignores because of its prefix or its Domain (RFC 6265bis sections 4.1.3 and
 * 5.7). Pure. */
export function explainIgnoredCookie(setCookies: readonly string[], host: string): string | undefined {
  for (const { name, attributes } of setCookies.map(readSetCookie)) {
    const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase() ?? '';
    if (domain !== '' && domain !== host && (isIP(host) !== 0 || !host.endsWith(`.${domain}`)))
      return `browsers ignore the cookie ${name}: its Domain is ${domain}, and the app is at ${host}`;
    const isSecure = attributes.has('secure');
    if (/^__secure-/i.test(name) && !isSecure) return `browsers ignore the cookie ${name}, because it is not Secure`;
    const isHost = isSecure && attributes.get('path') === '/' && !attributes.has('domain');
    if (/^__host-/i.test(name) && !isHost)
      return `browsers ignore the cookie ${name}: its prefix needs Secure and Path=/, and no Domain`;
  }
  return undefined;
}
