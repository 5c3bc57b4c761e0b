import { keepsPromisesInNode } from "./inNode.ts";

keepsPromisesInNode({ device: "cpu", matmulsPerSecond: 50 });
