/**
 * Returns the rows of a batch, a single one repeated. onnxruntime runs a batch of one with other kernels, whose results differ in
 * the last bits; from two rows on, a row does not depend on the others.
 */
export const atLeastTwo = <T>(rows: readonly T[]): readonly T[] => (rows.length === 1 ? [rows[0], rows[0]] : rows);
