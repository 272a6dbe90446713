/** How long answers take and how they end: measured around everything else, so that no route can forget it. */
import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { type RouteName, routeNameOf } from '../../distribution/route-name.ts';

export type AnswerOutcome = 'ok' | 'refused' | 'limited' | 'client_error' | 'failed';

export interface Timing {
  readonly method: string;
  readonly route: RouteName;
  /** undefined where nobody was answered. */
  readonly status: number | undefined;
  readonly outcome: AnswerOutcome;
  /** From the end of the request's head to the first byte of an answer; undefined where there was none. */
  readonly firstByteSeconds: number | undefined;
  /** To the last byte. */
  readonly seconds: number;
}

/** Hears of each request twice, however it ends. */
export interface AnswerWatch {
  readonly onBegun: (route: RouteName) => void;
  readonly onAnswered: (timing: Timing) => void;
}

/** For a server that makes its responses of it. */
export function timedResponse({ onBegun, onAnswered }: AnswerWatch): typeof ServerResponse<IncomingMessage> {
  return class TimedResponse extends ServerResponse {
    readonly #begun = performance.now();
    #firstByte: number | undefined;

    constructor(...given: ConstructorParameters<typeof ServerResponse<IncomingMessage>>) {
      super(...given);
      // The target is rewritten before forwarding.
      const route = routeNameOf(this.req.url ?? '');
      onBegun(route);
      this.once('close', () => {
        // Express puts another prototype under its responses; they are whole at once, their first byte is their last.
        const firstByte = this.#firstByte ?? (this.headersSent ? performance.now() : undefined);
        const firstByteSeconds = firstByte === undefined ? undefined : (firstByte - this.#begun) / 1000;
        onAnswered({
          method: this.req.method ?? '',
          route,
          status: this.headersSent ? this.statusCode : undefined,
          outcome: outcomeOf(this),
          firstByteSeconds,
          seconds: (performance.now() - this.#begun) / 1000,
        });
      });
    }

    /** Node comes this way with every head, also with one that nobody wrote. */
    override writeHead(status: number, ...rest: readonly unknown[]): this {
      this.#firstByte ??= performance.now();
      return super.writeHead(status, ...(rest as [OutgoingHttpHeaders?]));
    }
  };
}

/** A reply that was cut is the client's doing where its side of the connection ended. */
function outcomeOf({ req, headersSent, statusCode, writableFinished }: ServerResponse): AnswerOutcome {
  const { socket } = req;
  if (!headersSent || (statusCode < 400 && !writableFinished))
    return socket.readableEnded || socket.errored !== null ? 'client_error' : 'failed';
  if (statusCode < 400) return 'ok';
  if (statusCode === 429) return 'limited';
  if (statusCode === 401 || statusCode === 403) return 'refused';
  return statusCode < 500 ? 'client_error' : 'failed';
}
