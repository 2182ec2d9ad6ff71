/**
 * Buckets: the hash slots over which a service on a cluster spreads its keys. All keys of a bucket have one hash tag,
 * so that a script can reach them together.
 *
 * @module
 */

/**
 * The bucket of a name, by FNV-1a over its UTF-16 units. Any even spread would do, but it must never change: what is
 * kept would be lost sight of.
 *
 * @param name What is kept, or whose it is.
 * @param buckets How many there are.
 * @returns Which one, from 0.
 */
export function bucketOf(name: string, buckets: number): number {
  if (buckets === 1) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % buckets;
}

/**
 * The hash tags of the buckets, without their braces: the namespace, and the number of the bucket where there are
 * several.
 *
 * @param namespace The namespace.
 * @param buckets How many there are.
 * @returns Them, in their order.
 */
export function hashTags(namespace: string, buckets: number): string[] {
  if (buckets === 1) return [namespace];
  const width = String(buckets - 1).length;
  return Array.from({ length: buckets }, (_, i) => `${namespace}:${String(i).padStart(width, "0")}`);
}
