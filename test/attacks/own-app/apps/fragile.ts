import { findJwt } from '#src/attacks/own-app/app-jwt.js';
import { listen } from '../served.js';
import { makeTokenApp } from '../token-app.js';

/** A correct app with signed tokens, which ends at a token with the algorithm "none". */
const answer = makeTokenApp('HS256');

await listen(call => {
  if (call.route === 'GET /health') return { body: 'ok' };
  if (findJwt(call.headers.authorization ?? '')?.header.alg === 'none') process.exit(9);
  return answer(call);
}, Number(process.env.PORT));
