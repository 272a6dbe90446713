/** Telling Redis what it missed: one attempt at a time, and again after a pause until one has arrived. */
export interface Telling {
  /** At once, unless an attempt is under way. */
  now(): void;
  /** After a pause: something was missed, and nobody knows when the next call comes. */
  soon(): void;
}

const pauseMs = 1000;

/** `tell` never rejects; false when it must be tried again. */
export function createTelling(tell: () => Promise<boolean>): Telling {
  let isTelling = false;
  let timer: NodeJS.Timeout | undefined;

  function soon(): void {
    timer ??= setTimeout(now, pauseMs).unref();
  }

  function now(): void {
    clearTimeout(timer);
    timer = undefined;
    if (isTelling) {
      soon();
      return;
    }
    isTelling = true;
    void tell().then((isTold) => {
      isTelling = false;
      if (!isTold) soon();
    });
  }

  return { now, soon };
}
