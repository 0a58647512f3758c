/** The toy shop, which waits before it listens until the test has answered a request that names its port. */
const { TEST_ORIGIN, PORT } = process.env;
await fetch(`${TEST_ORIGIN}/${PORT}`);
await import('#backends/shop.js');

export {};
