/** One task at a time of each name, such as an account. */
export class OneEach {
  readonly #underWay = new Map<string, Promise<unknown>>();

  /** The task's own outcome; `busy` where another of this name has not ended within so many milliseconds. */
  async run<T>(name: string, withinMs: number, task: () => Promise<T>): Promise<T | 'busy'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'busy'>((resolve) => (timer = setTimeout(resolve, withinMs, 'busy')));
    try {
      for (;;) {
        const before = this.#underWay.get(name);
        if (before === undefined) break;
        if ((await Promise.race([before, late])) === 'busy') return 'busy';
      }
    } finally {
      clearTimeout(timer);
    }
    const leave = (): void => void this.#underWay.delete(name);
    const running = task();
    this.#underWay.set(name, running.then(leave, leave));
    return running;
  }
}
