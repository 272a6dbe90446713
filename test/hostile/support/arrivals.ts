import type { RegistryProcess } from '../../support/registry.ts';

/** One request that a real registry wrote into its access log. */
export interface Arrival {
  /** As in `GET /v2/a/tags/list HTTP/1.1`. */
  readonly line: string;
  readonly status: number;
}

/** What arrived at a registry, by its own word. Pings are the gateway's: a client's never get so far. */
export function createArrivals(registry: RegistryProcess): { sinceLast(): Promise<readonly Arrival[]> } {
  let read = 0;
  return {
    async sinceLast() {
      const log = await registry.settledAccessLog();
      const fresh = log.slice(read).split('\n');
      read = log.length;
      return fresh.flatMap((text) => {
        const [, line = '', status = ''] = /"([A-Z]+ [^"]* HTTP\/1\.[01])" (\d{3}) /.exec(text) ?? [];
        return line === '' || /^GET \/v2\/(?:\?[0-9a-f-]{36})? /.test(line) ? [] : [{ line, status: Number(status) }];
      });
    },
  };
}
