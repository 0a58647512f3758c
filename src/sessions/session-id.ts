import { hash, randomBytes } from 'node:crypto';

/** 32 bytes in base64url: 43 characters. The last one carries only four bits, so only 16 characters can stand there. */
const shape = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export function newSessionId(): string {
  return randomBytes(32).toString('base64url');
}

/** Strict, so that one session has exactly one spelling and no foreign text ever reaches a store. */
export function isSessionId(text: string): boolean {
  return shape.test(text);
}

/** What a store keys on: SHA-256 in hex, 64 characters. Who reads the store cannot write the cookie. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'hex');
}

export function handleOf(digest: string): string {
  return digest.slice(0, 16);
}
