import { describeFuzz } from './fuzz/describe-fuzz.js';

describeFuzz({ requests: 500, answers: 200 });
