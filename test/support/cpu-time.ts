/**
 * How many times as much processor time `large` takes as `small`. The least of several runs, in turn: a busy machine, a
 * compiler and a collector only ever add to it.
 */
export function growth(small: () => void, large: () => void, runs = 9): number {
  const least = { small: Infinity, large: Infinity };
  for (let run = 0; run < runs; run += 1) {
    least.small = Math.min(least.small, microseconds(small));
    least.large = Math.min(least.large, microseconds(large));
  }
  return least.large / Math.max(least.small, 1);
}

/** Milliseconds of processor time that `work` takes, the least of several runs. */
export async function leastWork(work: () => Promise<unknown>, runs = 5): Promise<number> {
  let least = Infinity;
  for (let run = 0; run < runs; run += 1) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

function microseconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
