/** The backends' answers: 60 bytes of JSON, and a mebibyte. */
export const smallBody = '{"user":"bench","items":[{"sku":"one","quantity":1}],"n":12}';
export const bigBody = 'x'.repeat(1 << 20);
