/**
 * The layout of pictures that WebGPU's kernels are asked for, which is that of the graphs. With onnxruntime's default, NHWC, a
 * noise prediction has a quarter more dispatches, all of them transpositions.
 */
export const LAYOUT = "NCHW";
