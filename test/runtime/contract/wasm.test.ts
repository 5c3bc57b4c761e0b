import { keepsPromisesInBrowser } from "./inBrowser.ts";

keepsPromisesInBrowser({ device: "cpu", threads: 1, isolated: false, matmulsPerSecond: 8 });
keepsPromisesInBrowser({ device: "cpu", threads: 2, isolated: true, matmulsPerSecond: 8 });
