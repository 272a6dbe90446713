import { createSendQueues } from '../../src/adapters/kernel/send-queues.ts';
import { contentBudget } from '../../src/http/backend/whole-content.ts';
import { createMemoryBudget } from '../../src/limits/memory-budget.ts';
import { type Backend, type BackendOptions, createBackend } from '../../src/http/backend/backend.ts';

/** A backend of its own, apart from any gateway, with limits that a test can wait for. */
export function backendAt(url: string, options: Partial<BackendOptions> = {}): Backend {
  return createBackend({
    url,
    publicUrl: 'http://registry.test',
    connectMs: 500,
    idleMs: 5000,
    responseMs: 5000,
    askMs: 5000,
    sendQueues: createSendQueues(),
    contentMemory: createMemoryBudget(contentBudget),
    ...options,
  });
}
