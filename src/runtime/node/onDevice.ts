/** The place in which sessions leave outputs of WebGPU. In a file of its own, since only the child process may load onnxruntime. */
export const ON_DEVICE = "gpu-buffer";
