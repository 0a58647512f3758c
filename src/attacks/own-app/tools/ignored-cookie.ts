import { readSetCookie } from '../../tools/browser.js';

/** Says which cookie of an answer a browser ignores because of its prefix (RFC 6265bis section 4.1.3). Pure. */
export function explainIgnoredCookie(setCookies: readonly string[]): string | undefined {
  for (const { name, attributes } of setCookies.map(readSetCookie)) {
    const isSecure = attributes.has('secure');
    if (/^__secure-/i.test(name) && !isSecure) return `browsers ignore the cookie ${name}, because it is not Secure`;
    const isHost = isSecure && attributes.get('path') === '/' && !attributes.has('domain');
    if (/^__host-/i.test(name) && !isHost)
      return `browsers ignore the cookie ${name}: its prefix needs Secure and Path=/, and no Domain`;
  }
  return undefined;
}
