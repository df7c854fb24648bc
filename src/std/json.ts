// Small readings of JSON values that others made.

/** Whether lists and objects lie within each other more than `most` times: such values are no data, and much code can't walk them. */
export const isDeeper = (value: unknown, most: number): boolean =>
  typeof value === "object" && value !== null && (most <= 0 || Object.values(value).some((one) => isDeeper(one, most - 1)));
