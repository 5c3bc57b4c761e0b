// Differentiable graphs: operations with shape, gradient and ONNX rules, reverse mode, the ONNX writer. Pure TypeScript.
// Knows: core.
// Does not know: models, weight formats, how a program is run.
export {
  type AdamNumbers,
  type AdamOptions,
  type AdamState,
  type AdamStep,
  adamNumbers,
  adamScalars,
  adamStep,
} from "./adam.ts";
export {
  type Binding,
  type CompileOptions,
  compile,
  compileInStages,
  leastTraits,
  type MappedWeight,
  type Port,
  type Program,
  type WeightSource,
} from "./compile.ts";
export { gradients, usesGradients } from "./gradient.ts";
export { fedShape } from "./onnx.ts";
export {
  type Attributes,
  constant,
  type DType,
  dtypeBytes,
  input,
  isConstant,
  isInput,
  isParameter,
  type Node,
  nameOf,
  operations,
  type PortDType,
  parameter,
  scalar,
  type Target,
  type Traits,
} from "./operation.ts";
export * from "./ops/index.ts";
export { inOrder } from "./order.ts";
export { flipKernels, parametersOf, verify, viewOf } from "./passes.ts";
export { batchSizeOf, count, type Dim, type Shape, withBatch } from "./shape.ts";
