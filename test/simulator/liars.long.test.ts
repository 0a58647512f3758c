import { describeLiars } from './model/liars-suite.js';

describeLiars('full');
