export { physicalCores } from "./machine.ts";
export { availableMemory, checkMemory, type ProcessMemory, processTreeMemory } from "./memory.ts";
export { startEngine } from "./nodeEngine.ts";
