/** Loaded into the gateway by the soak, so that its heap is what is in use and not what waits to be collected. */
if (globalThis.gc !== undefined) setInterval(globalThis.gc, 5000).unref();
