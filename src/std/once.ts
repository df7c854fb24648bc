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
