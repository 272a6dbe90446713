/** A loopback port that nothing listens on at this moment. */
export { freePort } from '../../src/trial/free-port.ts';
