// What lies in model files: safetensors, diffusers folders, single-file checkpoints, and what their tensors are called.
// Knows of: core, and bytes behind ByteSource and Folder.
// Does not know of: disks and networks, graphs, what the weights compute.
export { type Dtype, dtypeBytes, type FloatDtype, floatDtypes, isFloatDtype, toFloat32 } from "./dtype.ts";
export { encodeSafetensors, type TensorData } from "./encode.ts";
export { readSafetensors, type Safetensors } from "./safetensors.ts";
export { type ByteSource, type Folder, type FolderEntry, memorySource } from "./source.ts";
export { readBytes, readInts, readTensor, reshaped, rows, type TensorRef } from "./tensor-ref.ts";
