/** Both sides, each in a mode of its own. */
import { describeRoundTrip } from './round-trip.js';

describeRoundTrip('sticky', 'redis');
