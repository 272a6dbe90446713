/** Who holds which connections, idle or with requests under way: networks, and the sites that they belong to. */
import { clientSite } from './client-network.ts';

export interface Holder<C> {
  /** A symbol of its own for each connection of a trusted proxy. */
  readonly network: string | symbol;
  readonly site: Site<C>;
  /** When each became idle; the longest idle first. */
  readonly idle: Map<C, number>;
  /** Requests under way on each; the newest last. */
  readonly busy: Map<C, number>;
}

export interface Site<C> {
  readonly name: string | symbol;
  readonly networks: Map<string | symbol, Holder<C>>;
  /** Connections of all its networks. */
  size: number;
}

export type Sites<C> = ReadonlyMap<string | symbol, Site<C>>;

/** Connections of one network. */
export function sizeOf({ idle, busy }: Holder<unknown>): number {
  return idle.size + busy.size;
}

/** Times are milliseconds of one clock. */
export class ConnectionHolders<C> {
  readonly #sites = new Map<string | symbol, Site<C>>();
  readonly #holderOf = new Map<C, Holder<C>>();
  #busyCount = 0;

  get sites(): Sites<C> {
    return this.#sites;
  }

  /** One for each connection, and one to the registry for each that has a request under way. */
  get descriptors(): number {
    return this.#holderOf.size + this.#busyCount;
  }

  has(connection: C): boolean {
    return this.#holderOf.has(connection);
  }

  /** Whoever holds the connections of a network, or would: nobody is remembered without any. */
  holderFor(network: string | symbol): Holder<C> {
    const name = typeof network === 'string' ? clientSite(network) : network;
    const site = this.#sites.get(name) ?? { name, networks: new Map<string | symbol, Holder<C>>(), size: 0 };
    return site.networks.get(network) ?? { network, site, idle: new Map<C, number>(), busy: new Map<C, number>() };
  }

  add(connection: C, holder: Holder<C>, now: number): void {
    const { network, site } = holder;
    this.#sites.set(site.name, site);
    site.networks.set(network, holder);
    site.size++;
    this.#holderOf.set(connection, holder);
    holder.idle.set(connection, now);
  }

  remove(connection: C): void {
    const holder = this.#holderOf.get(connection);
    if (holder === undefined) return;
    const { network, site } = holder;
    this.#holderOf.delete(connection);
    holder.idle.delete(connection);
    if (holder.busy.delete(connection)) this.#busyCount--;
    site.size--;
    if (sizeOf(holder) === 0) site.networks.delete(network);
    if (site.size === 0) this.#sites.delete(site.name);
  }

  /** A request begins. Its holder where it is the first of a connection, which was idle until now. */
  begin(connection: C): Holder<C> | undefined {
    const holder = this.#holderOf.get(connection);
    if (holder === undefined) return undefined;
    const requests = holder.busy.get(connection) ?? 0;
    holder.idle.delete(connection);
    holder.busy.set(connection, requests + 1);
    if (requests > 0) return undefined;
    this.#busyCount++;
    return holder;
  }

  finish(connection: C, now: number): void {
    const holder = this.#holderOf.get(connection);
    const requests = holder?.busy.get(connection);
    if (holder === undefined || requests === undefined) return;
    if (requests > 1) return void holder.busy.set(connection, requests - 1);
    holder.busy.delete(connection);
    holder.idle.set(connection, now);
    this.#busyCount--;
  }
}
