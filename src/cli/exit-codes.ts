/** Contract section 8. EX_CONFIG lets a supervisor tell a bad configuration from a crash. */
export const exitCodes = { ok: 0, problems: 1, usage: 2, configuration: 78 } as const;
export type ExitCode = number;
