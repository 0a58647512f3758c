/** A key id of a key ring. */
const keyId = /^[\w-]{1,32}$/;
const sealedToken = /^v\d{1,3}\.([\w-]{1,32})\.[\w-]+$/;
/** The header of an access token of the toy shop has some 60 characters. */
const jwtToken = /^([\w-]{1,400})\.[\w-]+\.[\w-]+(?:~|$)/;

/**
 * The id of the key that signed or sealed a session token: the `kid` in the header of a JWT (RFC 7515, section 4.1.4), or
 * the second part of a sealed token. Nothing is verified. Undefined for a token that names no key.
 */
export function keyOfToken(token: string): string | undefined {
  const id = sealedToken.exec(token)?.[1] ?? kidOf(jwtToken.exec(token)?.[1]);
  return id !== undefined && keyId.test(id) ? id : undefined;
}

function kidOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  try {
    const fields: unknown = JSON.parse(Buffer.from(header, 'base64url').toString());
    const isNamed = typeof fields === 'object' && fields !== null && 'kid' in fields && typeof fields.kid === 'string';
    return isNamed ? String(fields.kid) : undefined;
  } catch {
    return undefined;
  }
}
