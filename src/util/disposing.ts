/**
 * Does some work, and disposes of what belongs to it whatever way it ends: `using` by hand, since Node.js 22 cannot
 * read that.
 *
 * @param resource What to dispose of, if anything.
 * @param work The work.
 * @returns What it gives.
 */
export async function disposing<Resource extends Disposable | undefined, T>(
  resource: Resource,
  work: (resource: Resource) => Promise<T>,
): Promise<T> {
  try {
    return await work(resource);
  } finally {
    resource?.[Symbol.dispose]();
  }
}
