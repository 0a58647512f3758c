/** Both sides, each in a mode of its own. round-trip.long.test.ts has one side. */
import { describeRoundTrip } from './round-trip.js';

describeRoundTrip('sticky', 'redis');
