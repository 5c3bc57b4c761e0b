/**
 * The rows, a single one twice: a batch of one runs through other kernels than all others, whose rows do not depend on the
 * batch's size.
 */
export const atLeastTwo = <T>(rows: readonly T[]): readonly T[] => (rows.length === 1 ? [rows[0], rows[0]] : rows);
