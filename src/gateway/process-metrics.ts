/** What every program of this kind shows of its process, by the names that others have for it. */
import { existsSync, readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { readDescriptorLimit } from '../adapters/kernel/descriptor-limit.ts';
import { version } from '../version.ts';
import type { Metrics, Quantiles } from './metrics.ts';

/** Linux; other systems have no number to show. */
const descriptors = '/proc/self/fd';
/** Milliseconds between two looks at how late the event loop is. */
const everyMs = 20;
const quantiles = [0.5, 0.9, 0.99];

/** Follows the event loop until `close`; `show` registers all of it. */
export function followProcess(metrics: Metrics): { readonly show: () => void; readonly close: () => void } {
  const { gauge, gauges, total } = metrics;
  const delay = monitorEventLoopDelay({ resolution: everyMs });
  delay.enable();
  let [sum, count] = [0, 0];
  const lateness = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - everyMs / 1000);
  /** Since the last look; sum and number since the beginning. */
  const read = (): Quantiles => {
    const more = delay.count;
    if (more > 0) sum += lateness(delay.mean) * more;
    count += more;
    const each = quantiles.map((each): [string, number] => [
      String(each),
      more > 0 ? lateness(delay.percentile(each * 100)) : 0,
    ]);
    delay.reset();
    return { quantiles: each, sum, count };
  };
  const show = (): void => {
    const help = 'How late the event loop was, since the last look.';
    metrics.summary('portcullis_eventloop_delay_seconds', help, quantiles.length, read);
    gauges<[version: string, node: string]>(
      'portcullis_build_info',
      'Always 1; the labels are the versions of the program and of Node.',
      ['version', 'node'],
      () => [[[version, process.versions.node], 1]],
      1,
    );
    const started = Date.now() / 1000 - process.uptime();
    gauge('process_start_time_seconds', 'When the process began, in seconds since 1970.', () => started);
    total('process_cpu_seconds_total', 'Time on the processor, of the program and of the system for it.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    gauge('process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss());
    gauge('nodejs_heap_size_used_bytes', 'Objects in the JavaScript heap.', () => process.memoryUsage().heapUsed);
    if (existsSync(descriptors))
      gauge('process_open_fds', 'Open file descriptors.', () => readdirSync(descriptors).length);
    const most = readDescriptorLimit();
    if (most !== undefined && Number.isFinite(most))
      gauge('process_max_fds', 'File descriptors that may be open at once.', () => most);
  };
  return { show, close: () => delay.disable() };
}
