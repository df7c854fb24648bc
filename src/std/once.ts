// Work that is done at most once, and again only when it failed.
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  const state: { result?: Promise<T> } = {};
  return () => {
    state.result ??= work().catch((error: unknown) => {
      delete state.result;
      throw error;
    });
    return state.result;
  };
}

/** As `once`, for each key of `made`. */
export function onceFor<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(key);
  if (known) return known;
  const making = make();
  made.set(key, making);
  making.catch(() => made.delete(key));
  return making;
}
