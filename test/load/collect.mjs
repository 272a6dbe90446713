/** Loaded into the gateway by the soak, which asks with SIGUSR2 to see the heap that is in use, without what waits. */
process.on('SIGUSR2', () => globalThis.gc());
