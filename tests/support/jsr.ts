/** Whether `jsr:@db/redis` is here; where JSR does not answer it is not. */
export const HAS_DB_REDIS: boolean = !import.meta.resolve("@db/redis").includes("/tests/offline/");

/** A test that needs `jsr:@db/redis`: without it, it is ignored and says why. */
export function testWithDbRedis(
  name: string,
  fn: () => Promise<void> | void,
  options: { ignore?: boolean } = {},
): void {
  Deno.test({ name: `${name} (needs JSR)`, ignore: !HAS_DB_REDIS || options.ignore === true, fn });
}
