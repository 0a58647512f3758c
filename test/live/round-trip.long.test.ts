/** A sample of round-trip.full.test.ts: one side. */
import { describeRoundTrip } from './round-trip.js';

describeRoundTrip('sticky');
