import { keepsPromisesInBrowser } from "../runtime/contract/inBrowser.ts";
import { keepsPromisesInNode } from "../runtime/contract/inNode.ts";
import { ownGpu } from "../support/needs.ts";

const matmulsPerSecond = ownGpu ? 50 : 1;
keepsPromisesInNode({ device: "webgpu", threads: 1, matmulsPerSecond });
keepsPromisesInBrowser({ device: "webgpu", threads: 1, isolated: true, matmulsPerSecond, software: !ownGpu });
