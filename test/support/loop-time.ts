const beatMs = 5;

/**
 * How long `work` was waited for, in milliseconds of an event loop that turns: what a busy machine keeps the test from
 * running counts little, a timer or an answer that is waited for counts in full.
 */
export async function waited<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  let ms = 0;
  let last = performance.now();
  const beat = setInterval(() => {
    const now = performance.now();
    ms += Math.min(now - last, 4 * beatMs);
    last = now;
  }, beatMs);
  try {
    return { value: await work(), ms };
  } finally {
    clearInterval(beat);
  }
}
