import { describeRandomHistories } from './model/random-histories.js';

describeRandomHistories(16);
