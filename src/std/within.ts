// Waiting that has an end.

/** The work's result or failure; after `ms` milliseconds the failure that `late` makes. The work goes on then, and how it ends is nobody's any more. A process that has nothing else to do ends. */
export function within<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  const end = Promise.withResolvers<never>();
  const timer = setTimeout(() => end.reject(late()), ms).unref();
  return Promise.race([work, end.promise]).finally(() => clearTimeout(timer));
}
