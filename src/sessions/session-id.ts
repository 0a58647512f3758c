import { hash, randomBytes } from 'node:crypto';

/** 32 bytes in base64url: 43 characters. The last character carries only four bits, so only 16 characters are possible
 * there. */
const shape = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export function newSessionId(): string {
  return randomBytes(32).toString('base64url');
}

/** Checks the exact form. So a session has exactly one spelling, and no foreign text reaches a store. */
export function isSessionId(text: string): boolean {
  return shape.test(text);
}

/** Returns the key under which a store keeps a secret: its SHA-256 in hex, 64 characters. An attacker who reads the
 * store cannot make a cookie from it. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'hex');
}

export function handleOf(digest: string): string {
  return digest.slice(0, 16);
}
