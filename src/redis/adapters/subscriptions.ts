/** The subscriptions of a client: one that ends leaves, and all end with the client. */
export class Subscriptions<One extends AsyncDisposable> implements AsyncDisposable {
  readonly #all = new Set<One>();

  /** Makes one, which calls `onEnd` once when it is disposed of. */
  add(make: (onEnd: () => void) => One): Promise<One> {
    const subscription = make(() => void this.#all.delete(subscription));
    this.#all.add(subscription);
    return Promise.resolve(subscription);
  }

  [Symbol.iterator](): Iterator<One> {
    return this.#all.values();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((subscription) => subscription[Symbol.asyncDispose]()));
  }
}
