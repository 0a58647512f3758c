import { bigBody, smallBody } from './answers.js';

/** The requests of a workload's clients. */
export interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The expected body of every answer. */
  readonly answer: string;
}

export const small: Request = { method: 'GET', path: '/', headers: {}, answer: smallBody };
export const big: Request = { method: 'GET', path: '/big', headers: {}, answer: bigBody };
export const post: Request = {
  method: 'POST',
  path: '/',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ pad: 'p'.repeat(1014) }),
  answer: smallBody,
};
export const closing: Request = { ...small, headers: { connection: 'close' } };

/** The head of a browser: with the cookie and the first lines about 700 bytes. */
export const browser: Request = {
  ...small,
  headers: {
    'sec-ch-ua': '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
    'sec-ch-ua-mobile': '?0',
    'sec-ch-ua-platform': '"Linux"',
    'upgrade-insecure-requests': '1',
    'user-agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-user': '?1',
    'sec-fetch-dest': 'document',
    referer: 'https://shop.example.com/cart',
    'accept-encoding': 'gzip, deflate, br, zstd',
    'accept-language': 'en-GB,en;q=0.9,de;q=0.8',
  },
};
