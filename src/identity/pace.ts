/** Spreads a crowd over turns of the event loop: in between, everybody else is served. */

export type Pace = () => Promise<void>;

/** At most `perTurn` of those who ask go on in one turn of the event loop, in the order in which they asked. */
export function createPace(perTurn: number): Pace {
  let waiting: (() => void)[] = [];
  let gone = 0;
  let isTurnAwaited = false;

  function turn(): void {
    isTurnAwaited = false;
    const going = waiting.slice(0, perTurn);
    waiting = waiting.slice(perTurn);
    gone = going.length;
    if (gone > 0) awaitTurn();
    for (const go of going) go();
  }

  function awaitTurn(): void {
    if (isTurnAwaited) return;
    isTurnAwaited = true;
    setImmediate(turn);
  }

  return () => {
    awaitTurn();
    if (gone < perTurn && waiting.length === 0) {
      gone += 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => void waiting.push(resolve));
  };
}
