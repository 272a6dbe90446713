/** When what is decided now binds whoever holds a token that a registry verifies by itself. */

/** Seconds by which distribution believes a token beyond its end. */
const registryLeewaySeconds = 60;

/** Seconds until an edit of the policy, or a revocation, holds for everybody. */
export function bindsWithinSeconds(accessTtlSeconds: number): number {
  return accessTtlSeconds + registryLeewaySeconds;
}
