/** Channels over a connection of their own, which is replaced whenever it ends or stops answering. */
import type { Redis } from 'ioredis';
import { reconnectDelayMs } from './client.ts';

export interface ChannelListener {
  readonly onMessage: (message: string) => void;
  /** Messages arrive from now on; those of before were lost. */
  readonly onJoined: () => void;
}

const heartbeatMs = 2000;
/** After a refusal: an account of Redis that may not subscribe will not be allowed to a second later. */
const refusedPauseMs = 5000;

/**
 * Connects with the first channel; one that is followed later makes the connection begin anew. `open` makes a client that is
 * not connected yet and does not reconnect by itself; `isUp`: whether there is a server to follow at all.
 */
export function followChannels(open: () => Redis, isUp: () => boolean) {
  const listeners = new Map<string, ChannelListener>();
  let current: Redis | undefined;
  let pause: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let closed = false;

  /** Now if it is time to; nothing while there is a connection. */
  function connect(): void {
    if (closed || current !== undefined || pause !== undefined || listeners.size === 0 || !isUp()) return;
    const client = open();
    let delayMs = reconnectDelayMs();
    current = client;
    client.on('error', () => {});
    client.on('message', (channel: string, message: string) => listeners.get(channel)?.onMessage(message));
    client.on('ready', () => {
      client.subscribe(...listeners.keys()).then(
        () => listeners.forEach(({ onJoined }) => onJoined()),
        () => {
          delayMs = refusedPauseMs;
          client.disconnect();
        },
      );
    });
    client.once('end', () => {
      current = undefined;
      if (closed) return;
      pause = setTimeout(() => {
        pause = undefined;
        connect();
      }, delayMs).unref();
    });
    client.connect().catch(() => {});
  }

  return {
    follow(channel: string, listener: ChannelListener): void {
      listeners.set(channel, listener);
      // A link that died without a word is found only by asking.
      heartbeat ??= setInterval(() => {
        const client = current;
        if (client?.status === 'ready') client.ping().catch(() => client.disconnect());
      }, heartbeatMs).unref();
      // One that is connected already begins anew, with this channel too.
      if (current?.status === 'ready') current.disconnect();
      else connect();
    },
    connect,
    close(): void {
      closed = true;
      clearTimeout(pause);
      clearInterval(heartbeat);
      current?.disconnect();
    },
  };
}
