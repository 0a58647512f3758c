import { describeFuzz } from './fuzz/describe-fuzz.js';

describeFuzz({ requests: 1500, answers: 500 });
