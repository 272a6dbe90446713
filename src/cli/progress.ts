/** One line that lives while something takes its time. */

const firstMs = 1000;

/**
 * On a terminal: `words` and the seconds so far, from the first second on, in a line that is gone at the end. Elsewhere nothing.
 */
export function startProgress(
  stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>,
  words: string,
): { readonly end: () => void } {
  if (stream.isTTY !== true) return { end: () => undefined };
  const began = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    isShown = true;
    stream.write(`\r${words} … ${Math.round((performance.now() - began) / 1000)} s`);
  }, firstMs);
  return {
    end: () => {
      clearInterval(timer);
      if (isShown) stream.write('\r\u001b[K');
    },
  };
}
